#include "vmm/machine/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "tidevm/unique_fd.h"
#include "vmm/sandbox/privileges.h"
#include "vmm/sandbox/sandbox.h"

namespace tidevm::machine {
namespace {

class RawTerminalTest : public testing::Test {
 protected:
  RawTerminalTest() {
    ::grantpt(master_.get());
    ::unlockpt(master_.get());
    terminal_.Reset(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(terminal_.valid());
  }
  termios Settings() const {
    termios settings{};
    EXPECT_EQ(::tcgetattr(terminal_.get(), &settings), 0);
    return settings;
  }
  bool IsRaw() const {
    const termios settings = Settings();
    return (settings.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }

  UniqueFd master_{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  UniqueFd terminal_;
};

TEST_F(RawTerminalTest, RawWhileItLives) {
  const termios before = Settings();
  {
    const auto raw = RawTerminal::Enter(terminal_.get());
    ASSERT_TRUE(raw.has_value());
    ASSERT_NE(raw.value(), nullptr);
    EXPECT_TRUE(IsRaw());
    EXPECT_EQ(RawTerminal::Enter(terminal_.get()).error().code, ErrorCode::kBusy);
  }
  EXPECT_EQ(Settings().c_lflag, before.c_lflag);
  EXPECT_EQ(Settings().c_oflag, before.c_oflag);
  EXPECT_EQ(Settings().c_iflag, before.c_iflag);
  const auto again = RawTerminal::Enter(terminal_.get());
  EXPECT_TRUE(again.has_value());
}

TEST_F(RawTerminalTest, PipeIsLeftAlone) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read(ends[0]);
  const UniqueFd write(ends[1]);
  EXPECT_EQ(RawTerminal::Enter(read.get()).value(), nullptr);
}

TEST_F(RawTerminalTest, EverySuddenEndRestores) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGHUP, SIGQUIT, 0}) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (const int each : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        std::signal(each, SIG_DFL);  // a sanitizer's
      }
      const auto raw = RawTerminal::Enter(terminal_.get());
      if (!raw || *raw == nullptr || !IsRaw()) {
        ::_exit(99);
      }
      if (signal == 0) {
        std::exit(7);
      }
      ::raise(signal);
      ::_exit(98);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (signal == 0) {
      EXPECT_EQ(WEXITSTATUS(status), 7);
    } else {
      ASSERT_TRUE(WIFSIGNALED(status)) << signal << ": " << status;
      EXPECT_EQ(WTERMSIG(status), signal);
    }
    EXPECT_FALSE(IsRaw()) << signal;
  }
}

class ConfinedTerminalTest : public RawTerminalTest {
 protected:
  /// What becomes of a child that has the terminal raw, is confined, and does `body`: waitpid's
  /// status.
  int StatusAfter(const std::function<void(std::unique_ptr<RawTerminal>&)>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);  // a sanitizer's
      const auto sandbox = sandbox::Sandbox::Prepare({.mode = sandbox::Mode::kOn});
      auto raw = RawTerminal::Enter(terminal_.get());
      if (!sandbox || !raw || !IsRaw() || !sandbox::DropPrivileges() ||
          !sandbox->Enter(sandbox::ThreadKind::kMachine, "machine")) {
        ::_exit(99);
      }
      body(*raw);
      // Not _exit(): before what does not return, AddressSanitizer makes a call of its own.
      ::syscall(SYS_exit_group, 7);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }
};

TEST_F(ConfinedTerminalTest, IsRestoredAtTheEnd) {
  const int status = StatusAfter([](std::unique_ptr<RawTerminal>& raw) { raw.reset(); });
  ASSERT_TRUE(WIFEXITED(status)) << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_FALSE(IsRaw());
}

// What ThreadSanitizer's run-time does with a signal is not allowed.
#ifndef TIDEVM_HAS_TSAN
TEST_F(ConfinedTerminalTest, IsRestoredByAnAbort) {
  const int status = StatusAfter([](std::unique_ptr<RawTerminal>&) { ::raise(SIGABRT); });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  EXPECT_FALSE(IsRaw());
}

TEST_F(ConfinedTerminalTest, IsRestoredByACallThatIsNotAllowed) {
  const int status =
      StatusAfter([](std::unique_ptr<RawTerminal>&) { ::socket(AF_INET, SOCK_STREAM, 0); });
  ASSERT_TRUE(WIFEXITED(status)) << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), sandbox::kViolationExitStatus);
  EXPECT_FALSE(IsRaw());
}

#endif

TEST_F(RawTerminalTest, RealFaultRestoresAndStillKills) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGILL, SIG_DFL);
    const auto raw = RawTerminal::Enter(terminal_.get());
    if (!raw || !IsRaw()) {
      ::_exit(99);
    }
    __builtin_trap();
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGILL);
  EXPECT_FALSE(IsRaw());
}

class EscapeFilterTest : public testing::Test {
 protected:
  struct Seen {
    std::string input;
    bool end = false;
    int helps = 0;
  };
  /// Types `keys` in pieces of `piece` keys.
  static Seen Type(std::string_view keys, std::size_t piece) {
    EscapeFilter filter;
    Seen seen;
    for (std::size_t at = 0; at < keys.size(); at += piece) {
      const std::string_view part = keys.substr(at, piece);
      std::vector<std::byte> input;
      const auto requests =
          filter.Filter(std::as_bytes(std::span(part.data(), part.size())), input);
      for (const std::byte value : input) {
        seen.input.push_back(std::to_integer<char>(value));
      }
      seen.end = seen.end || requests.end;
      seen.helps += requests.help ? 1 : 0;
      if (seen.end) {
        break;
      }
    }
    return seen;
  }
};

TEST_F(EscapeFilterTest, KeysAndTheirMeanings) {
  struct Case {
    std::string_view keys, input;
    bool end;
    int helps;
  };
  for (const auto& [keys, input, end, helps] : {
           Case{"ls -x\r", "ls -x\r", false, 0},
           Case{"\x01x", "", true, 0},
           Case{"ab\x01xcd", "ab", true, 0},
           Case{"\x01h", "", false, 1},
           Case{"a\x01hb", "ab", false, 1},
           Case{"\x01\x01", "\x01", false, 0},
           Case{"\x01\x01x", "\x01x", false, 0},
           Case{"\x01\x01\x01x", "\x01", true, 0},
           Case{"\x01q", "\x01q", false, 0},
           Case{"\x01", "", false, 0},
           Case{"X\x01X\x03\x04", "X\x01X\x03\x04", false, 0},
       }) {
    for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
      const Seen seen = Type(keys, piece);
      EXPECT_EQ(seen.input, input) << testing::PrintToString(keys) << " by " << piece;
      EXPECT_EQ(seen.end, end) << testing::PrintToString(keys) << " by " << piece;
      EXPECT_EQ(seen.helps, helps) << testing::PrintToString(keys) << " by " << piece;
    }
  }
}

}  // namespace
}  // namespace tidevm::machine
