// A folder of its own to run ACPICA's tools in. For tests and fuzz targets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tidevm::firmware {

/// Made by the constructor, gone with the destructor. What should not fail throws.
class ToolFolder {
 public:
  struct Output {
    int exit_code = -1;
    std::string text;  // standard output and standard error
  };

  ToolFolder();
  ToolFolder(const ToolFolder&) = delete;
  ToolFolder& operator=(const ToolFolder&) = delete;
  ~ToolFolder();

  void Write(const std::string& name, std::string_view content) const;
  void Write(const std::string& name, std::span<const std::byte> content) const;
  std::string Read(const std::string& name) const;

  /// A command for the shell, with this folder as its working directory.
  Output Run(const std::string& command) const;

 private:
  std::filesystem::path path_;
};

/// A table without what iasl fills in itself: checksum, creator id and revision.
std::string Blanked(std::string table);

}  // namespace tidevm::firmware
