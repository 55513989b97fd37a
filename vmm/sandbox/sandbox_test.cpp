// What a confined thread can do, and what ends it.
#include "vmm/sandbox/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <spdlog/fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "tidevm/unique_fd.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/sandbox/sandbox_test_util.h"

namespace tidevm::sandbox {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr SandboxOptions kOn{.mode = Mode::kOn};
constexpr std::size_t kPage = 4096;

/// A call with numbers for arguments, whatever they mean: none of them is valid where that matters.
std::function<void()> Call(long number, long first = -1, long second = 0, long third = 0,
                           long fourth = 0) {
  return [=] { ::syscall(number, first, second, third, fourth); };
}

struct Forbidden {
  const char* name;  // as the report has it
  std::function<void()> body;
};

void ExpectEachEnds(ThreadKind kind, const char* thread, const std::vector<Forbidden>& calls) {
  for (const Forbidden& call : calls) {
    const Outcome outcome = RunConfined(kind, kOn, call.body);
    EXPECT_EQ(outcome.exit_status, kViolationExitStatus) << call.name << ": " << outcome.errors;
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("tidevm: error: seccomp: thread " + std::string(thread)),
                      HasSubstr(call.name)));
  }
}

void ExpectEachPasses(ThreadKind kind, const std::vector<std::function<void()>>& bodies) {
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const Outcome outcome = RunConfined(kind, kOn, bodies[i]);
    EXPECT_EQ(outcome.exit_status, kBodyReturned) << "body " << i << ": " << outcome.errors;
  }
}

// What neither kind may do.
std::vector<Forbidden> ForbiddenToAll() {
  return {
      {"socket (41)", Call(SYS_socket, AF_INET, SOCK_STREAM)},
      {"connect (42)", Call(SYS_connect)},
      {"execve (59)", Call(SYS_execve, 0)},
      {"openat (257)", [] { ::open("/etc/passwd", O_RDONLY); }},
      {"ioctl (16) with request 0x5412", [] { ::ioctl(0, TIOCSTI, "x"); }},
      {"ioctl (16) with request 0xae01", [] { ::ioctl(-1, KVM_CREATE_VM, 0); }},
      {"fork (57)", Call(SYS_fork)},
      {"clone (56)", Call(SYS_clone, SIGCHLD)},
      {"ptrace (101)", Call(SYS_ptrace)},
      {"mmap (9)",
       [] { ::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
      {"mprotect (10)", Call(SYS_mprotect, 0, kPage, PROT_EXEC)},
      {"madvise (28)", Call(SYS_madvise, 0, kPage, MADV_MERGEABLE)},
      {"tgkill (234)", Call(SYS_tgkill, ::getppid(), ::getppid(), 0)},
      {"kill (62)", Call(SYS_kill, ::getpid(), 0)},
      {"prctl (157)", Call(SYS_prctl, PR_SET_DUMPABLE, 1)},
      {"futex (202)", Call(SYS_futex, 0, FUTEX_CMP_REQUEUE)},
      {"seccomp (317)", Call(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES)},
      {"system call 511", Call(511)},
      {"system call 100000", Call(100000)},
  };
}

TEST(MachineThread, ACallThatItHasNoNeedOfEndsTheProcess) {
  ExpectEachEnds(ThreadKind::kMachine, "machine ", ForbiddenToAll());
}

TEST(VcpuThread, ACallThatItHasNoNeedOfEndsTheProcess) {
  ExpectEachEnds(ThreadKind::kVcpu, "vcpu-7 ", ForbiddenToAll());
}

TEST(VcpuThread, MayNotDoWhatIsForTheMachineThread) {
  ExpectEachEnds(ThreadKind::kVcpu, "vcpu-7 ",
                 {{"accept4 (288)", Call(SYS_accept4)},
                  {"recvfrom (45)", Call(SYS_recvfrom)},
                  {"read (0)", Call(SYS_read)},
                  {"close (3)", Call(SYS_close)},
                  {"unlink (87)", Call(SYS_unlink, 0)},
                  {"pread64 (17)", Call(SYS_pread64)},
                  {"clone (56)", Call(SYS_clone, CLONE_THREAD)},
                  {"clone3 (435)", Call(SYS_clone3, 0)},
                  {"ioctl (16) with request 0xae41", [] { ::ioctl(-1, KVM_CREATE_VCPU, 0); }},
                  {"ioctl (16) with request 0x4020ae46",
                   [] { ::ioctl(-1, KVM_SET_USER_MEMORY_REGION, nullptr); }}});
}

TEST(MachineThread, DoesWhatItNeeds) {
  ExpectEachPasses(ThreadKind::kMachine,
                   {Call(SYS_read), Call(SYS_accept4), Call(SYS_recvfrom), Call(SYS_close),
                    Call(SYS_unlink, 0), [] { ::ioctl(-1, KVM_CREATE_VCPU, 0); },
                    [] { ::ioctl(-1, KVM_RUN, 0); }, [] { ::eventfd_write(-1, 1); },
                    [] {
                      if (::syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) {
                        Leave(1);
                      }
                    }});
}

TEST(VcpuThread, DoesWhatItNeeds) {
  ExpectEachPasses(ThreadKind::kVcpu,
                   {[] { ::ioctl(-1, KVM_RUN, 0); }, [] { ::ioctl(-1, KVM_IRQ_LINE, nullptr); },
                    [] { ::eventfd_write(-1, 1); }, Call(SYS_timerfd_settime)});
}

// A sanitizer's run-time makes calls of its own around these.
#if !defined(TIDEVM_HAS_ASAN) && !defined(TIDEVM_HAS_TSAN)
TEST(VcpuThread, IsBornKickedAndJoinedUnderTheFilters) {
  const Outcome outcome = RunConfined(ThreadKind::kMachine, kOn, [] {
    const auto sandbox = Sandbox::Prepare({.mode = Mode::kOff});
    for (int life = 0; life < 50; ++life) {
      std::array<std::thread, 12> threads;  // more stacks than glibc keeps
      for (std::thread& thread : threads) {
        thread = std::thread([&] {
          ::pthread_setname_np(::pthread_self(), "vcpu-1");
          std::vector<std::string> strings(1000, std::string(1000, 'x'));
        });
        ::pthread_kill(thread.native_handle(), 0);
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    }
  });
  EXPECT_EQ(outcome.exit_status, kBodyReturned) << outcome.errors;
}

// What libraries do only the first time must have been done.
TEST(AnyThread, CanAllocateThrowAndLog) {
  static_cast<void>(spdlog::default_logger());  // tidevm has made its own by then
  for (const ThreadKind kind : {ThreadKind::kMachine, ThreadKind::kVcpu}) {
    ExpectEachPasses(kind, {[] {
                              try {
                                throw std::runtime_error("x");
                              } catch (const std::runtime_error&) {
                                spdlog::error("{}", std::strerror(ENOENT));
                              }
                            },
                            [] { std::string(std::size_t{8} << 20, 'x').clear(); },
                            [] { static_cast<void>(fmt::gmtime(std::time(nullptr))); }});
  }
}

TEST(AnyThread, AnAbortIsStillAnAbort) {
  for (const ThreadKind kind : {ThreadKind::kMachine, ThreadKind::kVcpu}) {
    const Outcome outcome = RunConfined(kind, kOn, [] { std::abort(); });
    EXPECT_EQ(outcome.exit_status, 128 + SIGABRT) << outcome.errors;
  }
}
#endif

// As a debugger or a shell's job control does; the kernel restarts the wait with a call of its own.
TEST(MachineThread, OutlivesAStop) {
  constexpr int kTimes = 20;  // one that comes before poll() shows nothing
  const auto body = [] {
    for (int i = 0; i < kTimes; ++i) {
      EXPECT_EQ(::write(STDERR_FILENO, ".", 1), 1);
      ::poll(nullptr, 0, 20);
    }
  };
  const auto stop_and_go = [](pid_t child) {
    ::kill(child, SIGSTOP);
    siginfo_t stopped{};  // or ended, after its last word
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &stopped, WSTOPPED | WEXITED | WNOWAIT), 0);
    ::kill(child, SIGCONT);
  };
  const Outcome outcome = RunConfined(ThreadKind::kMachine, kOn, body, stop_and_go);
  EXPECT_EQ(outcome.exit_status, kBodyReturned) << outcome.errors;
}

TEST(MachineThread, WithAPassedSocketRemovesNoFile) {
  const Outcome outcome =
      RunConfined(ThreadKind::kMachine, {.mode = Mode::kOn, .removes_socket = false},
                  [] { ::unlink("/tmp/tidevm-none"); });
  EXPECT_EQ(outcome.exit_status, kViolationExitStatus);
  EXPECT_THAT(outcome.errors, HasSubstr("unlink (87)"));
}

TEST(Report, IsOneLine) {
  const Outcome outcome = RunConfined(ThreadKind::kVcpu, kOn, Call(SYS_socket, AF_INET));
  EXPECT_THAT(outcome.errors,
              MatchesRegex("tidevm: error: seccomp: thread vcpu-7 made the system call socket "
                           "\\(41\\), which is not among [^\n]*\n"));
}

TEST(Report, IsJsonWhereTheLogIs) {
  const Outcome outcome = RunConfined(
      ThreadKind::kMachine, {.mode = Mode::kOn, .report = ReportStyle::kJson}, Call(SYS_socket));
  ASSERT_TRUE(nlohmann::json::accept(outcome.errors)) << outcome.errors;
  const auto line = nlohmann::json::parse(outcome.errors);
  EXPECT_EQ(line["level"], "error");
  EXPECT_THAT(line["message"].get<std::string>(), HasSubstr("thread machine made"));
  EXPECT_THAT(line["time"].get<std::string>(),
              MatchesRegex("20[0-9][0-9]-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z"));
}

TEST(Report, OfACallOfAnotherArchitecture) {
  const Outcome outcome = RunConfined(ThreadKind::kMachine, kOn, [] {
    long result = 20;  // getpid, as i386 counts
    asm volatile("int $0x80" : "+a"(result) : : "memory");
  });
  if (outcome.exit_status == 128 + SIGSEGV) {
    GTEST_SKIP() << "this kernel has no 32-bit calls";
  }
  EXPECT_EQ(outcome.exit_status, kViolationExitStatus);
  EXPECT_THAT(outcome.errors, HasSubstr("system call 20 of another architecture"));
}

TEST(Report, IsNotGivenOfASignalThatSomebodySent) {
  const Outcome outcome = RunConfined(ThreadKind::kMachine, kOn, [] { ::raise(SIGSYS); });
  EXPECT_EQ(outcome.exit_status, 128 + SIGSYS);
  EXPECT_EQ(outcome.errors, "");
}

TEST(Mode, LogLetsItPass) {
  const Outcome outcome =
      RunConfined(ThreadKind::kVcpu, {.mode = Mode::kLog}, Call(SYS_socket, AF_INET));
  EXPECT_EQ(outcome.exit_status, kBodyReturned);
  EXPECT_EQ(outcome.errors, "");
}

TEST(Mode, OffIsNoFilter) {
  const Outcome outcome = RunConfined(ThreadKind::kVcpu, {.mode = Mode::kOff}, [] {
    if (::prctl(PR_GET_SECCOMP) != 0) {
      Leave(1);
    }
  });
  EXPECT_EQ(outcome.exit_status, kBodyReturned);
}

}  // namespace
}  // namespace tidevm::sandbox
