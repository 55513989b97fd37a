#include "firmware/tool_folder_test_util.h"

#include <spdlog/fmt/fmt.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <ios>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace tidevm::firmware {

ToolFolder::ToolFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tidevm-acpi-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot make " + name);
  }
  path_ = name;
}

ToolFolder::~ToolFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ToolFolder::Write(const std::string& name, std::string_view content) const {
  std::ofstream file(path_ / name, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.good()) {
    throw std::runtime_error("cannot write " + name);
  }
}

void ToolFolder::Write(const std::string& name, std::span<const std::byte> content) const {
  Write(name, std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
}

std::string ToolFolder::Read(const std::string& name) const {
  std::ifstream file(path_ / name, std::ios::binary);
  if (!file.good()) {
    throw std::runtime_error("cannot read " + name);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

ToolFolder::Output ToolFolder::Run(const std::string& command) const {
  Output output;
  const std::string line = fmt::format("cd '{}' && {} 2>&1 </dev/null", path_.string(), command);
  FILE* const pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) {
    return output;
  }
  std::array<char, 4096> chunk{};
  while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    output.text.append(chunk.data(), count);
  }
  const int status = pclose(pipe);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

std::string Blanked(std::string table) {
  table.at(9) = 0;
  table.replace(28, 8, 8, '\0');
  return table;
}

}  // namespace tidevm::firmware
