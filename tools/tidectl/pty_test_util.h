// For tests: a program on a terminal of its own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tidevm/unique_fd.h"
#include "tools/tidectl/screen.h"

namespace tidevm::tidectl {

class PtyProcess {
 public:
  using Environment = std::vector<std::string>;  // "NAME=value"

  PtyProcess(const std::vector<std::string>& words, const Environment& environment,
             ScreenSize screen) {
    const winsize size = SizeOf(screen);
    int master = -1;
    int slave = -1;
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    master_ = UniqueFd(master);
    slave_ = UniqueFd(slave);  // kept: its settings can be read after the program has ended
    // The child of a process with threads may do little before exec: env sets the environment.
    std::vector<std::string> all = {"env"};
    all.insert(all.end(), environment.begin(), environment.end());
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> argv;
    for (std::string& word : all) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::login_tty(slave);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
  }
  PtyProcess(const PtyProcess&) = delete;
  PtyProcess& operator=(const PtyProcess&) = delete;
  ~PtyProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  /// Reads on until what was written since the last call contains `text`. Gives that, up to and
  /// with `text`; all there is and a failure after ten seconds.
  std::string ReadUntil(const std::string& text) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::size_t end = 0;
    while ((end = unread_.find(text)) == std::string::npos) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      pollfd poller{.fd = master_.get(), .events = POLLIN, .revents = 0};
      std::array<char, 4096> buffer{};
      const ssize_t count = left.count() > 0 && ::poll(&poller, 1, int(left.count())) == 1
                                ? ::read(master_.get(), buffer.data(), buffer.size())
                                : 0;
      if (count <= 0) {
        ADD_FAILURE() << "\"" << text << "\" did not come; there is: " << unread_;
        return std::exchange(unread_, "");
      }
      unread_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    std::string result = unread_.substr(0, end + text.size());
    unread_.erase(0, end + text.size());
    return result;
  }
  void Type(const std::string& keys) {
    EXPECT_EQ(::write(master_.get(), keys.data(), keys.size()), ssize_t(keys.size()));
  }
  void Resize(ScreenSize screen) {
    const winsize size = SizeOf(screen);
    EXPECT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0);
  }
  void Signal(int signal) { EXPECT_EQ(::kill(pid_, signal), 0); }
  /// The status that waitpid() gives, of its end or (WUNTRACED) its stop.
  int Wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    if (!WIFSTOPPED(status)) {
      pid_ = -1;
    }
    return status;
  }
  bool EchoesAndWaitsForLines() const {
    termios settings{};
    EXPECT_EQ(::tcgetattr(slave_.get(), &settings), 0);
    return (settings.c_lflag & ECHO) != 0 && (settings.c_lflag & ICANON) != 0;
  }

 private:
  static winsize SizeOf(ScreenSize screen) {
    return {.ws_row = static_cast<unsigned short>(screen.rows),
            .ws_col = static_cast<unsigned short>(screen.columns),
            .ws_xpixel = 0,
            .ws_ypixel = 0};
  }

  UniqueFd master_;
  UniqueFd slave_;
  pid_t pid_ = -1;
  std::string unread_;
};

}  // namespace tidevm::tidectl
