#include "vmm/sandbox/violation.h"

#include <linux/audit.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>

#include "vmm/sandbox/call_name.h"

namespace tidevm::sandbox {
namespace {

constexpr int kBySeccomp = 1;  // SYS_SECCOMP of asm-generic/siginfo.h, which glibc does not name

constexpr std::size_t kCallNumbers = 512;  // x86-64 has used 0 to 450 or so since 2002

// For the handler, which can ask nobody. Written before the handler is installed.
std::array<std::array<char, 32>, kCallNumbers> call_names;
ReportStyle report_style = ReportStyle::kText;
thread_local std::array<char, 16> thread_name{"unnamed"};

/// A line made without malloc. What does not fit is cut off.
class Line {
 public:
  Line& Add(std::string_view text) {
    const std::size_t count = std::min(text.size(), buffer_.size() - size_);
    std::copy_n(text.data(), count, buffer_.data() + size_);
    size_ += count;
    return *this;
  }
  Line& AddNumber(std::uint64_t value, int base = 10, std::size_t digits = 1) {
    std::array<char, 24> text{};
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
    const auto count = static_cast<std::size_t>(end - text.data());
    for (std::size_t i = count; i < digits; ++i) {
      Add("0");
    }
    return Add({text.data(), count});
  }
  void Send() const {
    if (::write(STDERR_FILENO, buffer_.data(), size_) < 0) {
      // Nobody is left to be told.
    }
  }

 private:
  std::array<char, 512> buffer_{};
  std::size_t size_ = 0;
};

/// As in the log's JSON: 2026-01-31T23:59:59.000001Z.
void AddTime(Line& line) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::chrono::sys_seconds seconds{std::chrono::seconds(now.tv_sec)};
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(seconds - day);
  line.AddNumber(static_cast<std::uint64_t>(static_cast<int>(date.year())), 10, 4).Add("-");
  line.AddNumber(static_cast<unsigned>(date.month()), 10, 2).Add("-");
  line.AddNumber(static_cast<unsigned>(date.day()), 10, 2).Add("T");
  line.AddNumber(static_cast<std::uint64_t>(time.hours().count()), 10, 2).Add(":");
  line.AddNumber(static_cast<std::uint64_t>(time.minutes().count()), 10, 2).Add(":");
  line.AddNumber(static_cast<std::uint64_t>(time.seconds().count()), 10, 2).Add(".");
  line.AddNumber(static_cast<std::uint64_t>(now.tv_nsec / 1000), 10, 6).Add("Z");
}

void AddCall(Line& line, const siginfo_t& info, const ucontext_t& context) {
  const auto number = static_cast<std::uint64_t>(static_cast<unsigned>(info.si_syscall));
  if (info.si_arch != AUDIT_ARCH_X86_64) {
    line.Add("system call ").AddNumber(number).Add(" of another architecture");
    return;
  }
  line.Add("system call ");
  if (number < kCallNumbers && call_names.at(number).front() != '\0') {
    line.Add(call_names.at(number).data()).Add(" (").AddNumber(number).Add(")");
  } else {
    line.AddNumber(number);
  }
  if (number == SYS_ioctl) {
    const auto request = static_cast<std::uint32_t>(context.uc_mcontext.gregs[REG_RSI]);
    line.Add(" with request 0x").AddNumber(request, 16);
  }
}

/// Async-signal-safe.
void HandleViolation(int signal, siginfo_t* info, void* context) {
  if (info->si_code != kBySeccomp) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  Line line;
  if (report_style == ReportStyle::kJson) {
    line.Add(R"({"time":")");
    AddTime(line);
    line.Add(R"(","level":"error","message":")");
  } else {
    line.Add("tidevm: error: ");
  }
  line.Add("seccomp: thread ").Add(thread_name.data()).Add(" made the ");
  AddCall(line, *info, *static_cast<const ucontext_t*>(context));
  line.Add(
      ", which is not among those that it needs (--show-seccomp); an attack or a fault of "
      "tidevm, so it ends at once");
  line.Add(report_style == ReportStyle::kJson ? "\"}\n" : "\n").Send();
  // Not _exit(): before what does not return, AddressSanitizer makes a call of its own.
  ::syscall(SYS_exit_group, kViolationExitStatus);
}

}  // namespace

Result<void> InstallViolationHandler(ReportStyle style) {
  report_style = style;
  for (std::size_t number = 0; number < kCallNumbers; ++number) {
    const std::string name = CallName(static_cast<int>(number));
    name.copy(call_names.at(number).data(), call_names.at(number).size() - 1);
  }
  struct sigaction action {};
  action.sa_sigaction = HandleViolation;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  if (::sigaction(SIGSYS, &action, nullptr) != 0) {
    return FailErrno(errno, "installing the handler of SIGSYS");
  }
  return {};
}

void NameThisThread(std::string_view name) {
  thread_name.fill('\0');
  name.copy(thread_name.data(), thread_name.size() - 1);
}

}  // namespace tidevm::sandbox
