#include "vmm/machine/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace tidevm::machine {
namespace {

constexpr std::byte kEscape{0x01};  // Ctrl-A
constexpr std::array kFatalSignals{SIGABRT, SIGSEGV, SIGBUS,  SIGILL,
                                   SIGFPE,  SIGHUP,  SIGQUIT, SIGSYS};

// For signal handlers, which have no object to look into. Written while `raw_fd` is -1, read only
// while it is not; a handler may run on any thread, hence atomic.
std::atomic<int> raw_fd{-1};
static_assert(std::atomic<int>::is_always_lock_free);
termios saved_settings;
std::array<struct sigaction, kFatalSignals.size()> saved_actions;

/// Async-signal-safe. Only the first caller does it.
void Restore() {
  const int fd = raw_fd.exchange(-1);
  if (fd < 0) {
    return;
  }
  // A background process that sets a terminal is stopped by SIGTTOU, unless that is blocked.
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ::tcsetattr(fd, TCSANOW, &saved_settings);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

extern "C" void RestoreAndPassOn(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  Restore();
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    const struct sigaction& before = saved_actions.at(i);
    if (kFatalSignals.at(i) != signal) {
      continue;
    }
    ::sigaction(signal, &before, nullptr);
    // A call that a filter has stopped does not come again by itself, and what is known of it is
    // in `info`.
    if (signal == SIGSYS && (before.sa_flags & SA_SIGINFO) != 0) {
      before.sa_sigaction(signal, info, context);
    }
  }
  errno = saved_errno;
  // A fault of the processor comes again by itself on return, with its address; others are sent
  // again, and are delivered on return too.
  if (info->si_code <= 0 || signal == SIGHUP || signal == SIGQUIT || signal == SIGSYS) {
    ::raise(signal);
  }
}

void InstallHandlers() {
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_sigaction = RestoreAndPassOn;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(kFatalSignals.at(i), &action, &saved_actions.at(i));
  }
}

void RemoveHandlers() {
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    ::sigaction(kFatalSignals.at(i), &saved_actions.at(i), nullptr);
  }
}

}  // namespace

Result<std::unique_ptr<RawTerminal>> RawTerminal::Enter(int fd) {
  if (::isatty(fd) == 0) {
    return nullptr;
  }
  // -1: not our controlling terminal, so nobody will stop us for using it.
  const pid_t foreground = ::tcgetpgrp(fd);
  if (foreground >= 0 && foreground != ::getpgrp()) {
    return nullptr;
  }
  if (raw_fd.load() >= 0) {
    return Fail(ErrorCode::kBusy, "a terminal is in raw mode already");
  }
  if (::tcgetattr(fd, &saved_settings) != 0) {
    return FailErrno(errno, "cannot read the terminal's settings");
  }
  static const bool restored_by_exit = std::atexit(Restore) == 0;
  if (!restored_by_exit) {
    return Fail(ErrorCode::kLimitExceeded, "cannot have the terminal restored at exit");
  }
  termios raw = saved_settings;
  ::cfmakeraw(&raw);
  raw.c_oflag |= OPOST;  // as it was: tidevm's own lines end in a bare line feed
  InstallHandlers();
  raw_fd = fd;
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) {
    const int error = errno;
    Restore();
    RemoveHandlers();
    return FailErrno(error, "cannot put the terminal into raw mode");
  }
  return std::unique_ptr<RawTerminal>(new RawTerminal());
}

RawTerminal::~RawTerminal() {
  Restore();
  RemoveHandlers();
}

EscapeFilter::Requests EscapeFilter::Filter(std::span<const std::byte> typed,
                                            std::vector<std::byte>& input) {
  Requests requests;
  for (const std::byte key : typed) {
    if (!escaped_) {
      escaped_ = key == kEscape;
      if (!escaped_) {
        input.push_back(key);
      }
      continue;
    }
    escaped_ = false;
    if (key == std::byte{'x'}) {
      requests.end = true;
      break;
    }
    if (key == std::byte{'h'}) {
      requests.help = true;
      continue;
    }
    input.push_back(kEscape);
    if (key != kEscape) {
      input.push_back(key);
    }
  }
  return requests;
}

}  // namespace tidevm::machine
