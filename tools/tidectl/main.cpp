#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tidectl/commands.h"

namespace {

// On a terminal that can, unless the user asked for none (the NO_COLOR convention).
bool WantsColor() {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    tidevm::tidectl::Terminal terminal{std::cout, std::cerr, {.color = WantsColor()}};
    return tidevm::tidectl::RunTidectl(std::vector<std::string>(argv + 1, argv + argc),
                                       std::getenv("TIDEVM_CONTROL"), terminal);
  } catch (const std::exception& error) {
    // Out of memory, or an answer whose members have types that no tidevm sends.
    std::cerr << "tidectl: unexpected answer: " << error.what() << '\n';
    return tidevm::tidectl::kExitFailed;
  }
}
