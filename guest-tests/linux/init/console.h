// The serial line: whole lines in, whole lines out.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tidevm::guest {

class Console {
 public:
  // `device` is a path. Falls back on /dev/console.
  explicit Console(const std::string& device);

  int fd() const { return fd_; }

  // No echo, no line editing by the kernel, no signals from the keyboard: for questions.
  void MakeRaw() const;

  // Reads what is there and hands on each line that is complete, without its line end.
  void ReadLines(const std::function<void(std::string_view)>& handle);

  // Writes "TEXT\n" in one write(): two lines of ours never mix. Other characters than printable
  // ones become '?', so that whatever the text is, it stays one line.
  void WriteLine(std::string text) const;

  // Waits until all of it has left the UART; before the machine goes away.
  void Drain() const;

 private:
  int fd_;
  std::string input_;
};

}  // namespace tidevm::guest
