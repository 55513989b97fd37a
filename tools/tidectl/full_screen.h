// The terminal while a program draws on all of it.
#pragma once

#include <termios.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::tidectl {

/// Takes the terminal: its other screen, no cursor, keys as they are pressed. Gives it back when
/// destroyed, and around a stop (Ctrl-Z). Signals that would end the program come through Wait()
/// instead, so nothing but SIGKILL and a crash leaves the terminal as it is not meant to be. The
/// calling thread must be the only one. Keys are read from standard input if that is a terminal.
class FullScreen {
 public:
  struct Happened {
    bool quit = false;  // q, or a signal
    int signal = 0;     // which one, if it was one other than SIGINT
  };

  static Result<FullScreen> Take(std::ostream& out);
  FullScreen(FullScreen&&) noexcept;
  FullScreen& operator=(FullScreen&&) = delete;
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
  ~FullScreen();

  void Draw(const std::vector<std::string>& lines);  // they must fit
  /// Until `fd` may be read, the size has changed, something of the above happened, or `until`.
  Happened Wait(int fd, std::chrono::steady_clock::time_point until);

 private:
  explicit FullScreen(std::ostream& out) : out_(&out) {}
  void Enter();
  void Leave();
  void OnSignals(Happened& happened);
  void OnKeys(Happened& happened);

  std::ostream* out_;  // null: moved from
  UniqueFd signals_;
  sigset_t old_mask_{};
  std::optional<termios> old_keyboard_;  // as it was found; nullopt: not a terminal
};

}  // namespace tidevm::tidectl
