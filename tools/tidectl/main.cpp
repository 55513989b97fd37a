#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tidectl/commands.h"

namespace {

std::string_view Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

// A terminal on which the cursor can be moved.
bool IsTerminal() {
  return ::isatty(STDOUT_FILENO) == 1 && !Environment("TERM").empty() &&
         Environment("TERM") != "dumb";
}

// The first of these that is set says which characters the terminal shows.
bool IsUtf8() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = Environment(name);
    if (!locale.empty()) {
      return locale.ends_with("UTF-8") || locale.ends_with("utf8");
    }
  }
  return false;
}

tidevm::tidectl::ScreenSize SizeOfStdout() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {};
  }
  return {.rows = size.ws_row, .columns = size.ws_col};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    tidevm::tidectl::Terminal terminal{std::cout, std::cerr};
    if (IsTerminal()) {
      // https://no-color.org: set and not empty.
      terminal.style = {.color = Environment("NO_COLOR").empty(), .unicode = IsUtf8()};
      terminal.screen = SizeOfStdout;
    }
    return tidevm::tidectl::RunTidectl(std::vector<std::string>(argv + 1, argv + argc),
                                       std::getenv("TIDEVM_CONTROL"), terminal);
  } catch (const std::exception& error) {
    // Out of memory, or an answer whose members have types that no tidevm sends.
    std::cerr << "tidectl: unexpected answer: " << error.what() << '\n';
    return tidevm::tidectl::kExitFailed;
  }
}
