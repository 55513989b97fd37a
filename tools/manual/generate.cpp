// tidevm-manual SHARE YYYY-MM-DD: writes every man page and completion below SHARE, where an
// installation has them.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tools/manual/manual.h"

namespace {

bool Write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    std::cerr << "tidevm-manual: cannot write " << path << '\n';
  }
  return bool(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tidevm-manual SHARE YYYY-MM-DD\n";
    return 2;
  }
  try {
    const std::filesystem::path share = argv[1];
    bool written = true;
    for (const tidevm::manual::Program& program : tidevm::manual::AllPrograms()) {
      written &= Write(share / "man/man1" / (program.name + ".1"), ManPage(program, argv[2]));
      written &=
          Write(share / "bash-completion/completions" / program.name, BashCompletion(program));
      written &= Write(share / "zsh/site-functions" / ("_" + program.name), ZshCompletion(program));
    }
    return written ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "tidevm-manual: " << error.what() << '\n';
    return 1;
  }
}
