#include "console.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tidevm::guest {
namespace {

constexpr size_t kLongestLine = 4096;

}  // namespace

Console::Console(const std::string& device)
    : fd_(open(device.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (fd_ < 0) {
    fd_ = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
}

void Console::MakeRaw() const {
  termios settings;
  if (tcgetattr(fd_, &settings) != 0) {
    return;
  }
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL;
  settings.c_oflag |= OPOST | ONLCR;  // people look at it too
  tcsetattr(fd_, TCSANOW, &settings);
}

void Console::ReadLines(const std::function<void(std::string_view)>& handle) {
  std::array<char, 512> buffer;
  const ssize_t got = read(fd_, buffer.data(), buffer.size());
  if (got <= 0) {
    return;
  }
  input_.append(buffer.data(), static_cast<size_t>(got));
  // Taken out before it is handled; a terminal's Return sends CR, a test sends LF.
  for (size_t end = input_.find_first_of("\r\n"); end != std::string::npos;
       end = input_.find_first_of("\r\n")) {
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!line.empty()) {
      handle(line);
    }
  }
  if (input_.size() > kLongestLine) {
    input_.clear();
  }
}

void Console::WriteLine(std::string text) const {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c < ' ' && c != '\t') || c == 0x7f; }, '?');
  text += '\n';
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t done = write(fd_, left.data(), left.size());
    if (done < 0 && errno != EINTR) {
      return;
    }
    if (done > 0) {
      left.remove_prefix(static_cast<size_t>(done));
    }
  }
}

void Console::Drain() const { tcdrain(fd_); }

}  // namespace tidevm::guest
