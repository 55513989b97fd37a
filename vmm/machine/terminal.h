// The user's terminal while it is the guest's: raw, with one key kept for tidevm.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tidevm/result.h"

namespace tidevm::machine {

/// A terminal in raw mode for as long as this lives. Every way out restores it: the destructor,
/// exit(), and handlers for the signals that end a process with a fault (SIGABRT, SIGSEGV, SIGBUS,
/// SIGILL, SIGFPE, and SIGHUP, SIGQUIT, SIGSYS), which then leave to whatever was installed before.
/// SIGTERM and SIGINT are none of them: the machine takes those from its signalfd. SIGKILL and a
/// stop by SIGSTOP cannot be helped.
///
/// One at a time in a process; machine thread only, before other threads change signal handlers.
class RawTerminal {
 public:
  /// Nullptr where there is nothing to do: `fd` is no terminal, or this process is not in its
  /// foreground. `fd` stays the caller's and must outlive the answer.
  static Result<std::unique_ptr<RawTerminal>> Enter(int fd);

  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  RawTerminal() = default;
};

/// Finds tidevm's own keys in what the user types: Ctrl-A x ends, Ctrl-A h helps, Ctrl-A Ctrl-A is
/// a Ctrl-A for the guest. Ctrl-A and any other key are both the guest's. Works over any split of
/// the input, so a Ctrl-A is held until the next key. No lock: one thread.
class EscapeFilter {
 public:
  static constexpr std::string_view kHelp =
      "\r\n"
      "Ctrl-A x       end the virtual machine\r\n"
      "Ctrl-A h       this help\r\n"
      "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

  /// What was asked for in one piece of input.
  struct Requests {
    bool end = false;  // nothing typed after it is looked at
    bool help = false;
  };

  /// Appends to `input` what is for the guest.
  Requests Filter(std::span<const std::byte> typed, std::vector<std::byte>& input);

 private:
  bool escaped_ = false;  // the last key was Ctrl-A
};

}  // namespace tidevm::machine
