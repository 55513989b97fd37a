#include "spinners.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>

#include "cpus.h"
#include "text.h"

namespace tidevm::guest {
namespace {

// Linux's own, which glibc 2.36 does not have and whose header is at odds with <sched.h>.
constexpr uint32_t kSchedDeadline = 6;
struct SchedAttr {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns;
  uint64_t deadline_ns;
  uint64_t period_ns;
};

[[noreturn]] void Spin(int cpu) {
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    sched_setaffinity(0, sizeof(set), &set);
  }
  volatile unsigned long turns = 0;
  while (true) {
    turns = turns + 1;
  }
}

}  // namespace

int Spinners::Start(int count, bool pinned) {
  const std::set<int> online = OnlineCpus();
  auto next = online.begin();
  for (int i = 0; i < count; ++i) {
    int cpu = -1;
    if (pinned && !online.empty()) {
      cpu = *next;
      if (++next == online.end()) {
        next = online.begin();
      }
    }
    const pid_t pid = fork();
    if (pid < 0) {
      return errno;
    }
    if (pid == 0) {
      Spin(cpu);
    }
    children_.push_back(pid);
  }
  return 0;
}

int Spinners::Reserve(int count, int percent) {
  constexpr uint64_t kPeriodNs = 100'000'000;
  const SchedAttr claim{.size = sizeof(SchedAttr),
                        .policy = kSchedDeadline,
                        .flags = 0,
                        .nice = 0,
                        .priority = 0,
                        .runtime_ns = kPeriodNs / 100 * static_cast<unsigned>(percent),
                        .deadline_ns = kPeriodNs,
                        .period_ns = kPeriodNs};
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) {
      return errno;
    }
    if (pid == 0) {
      while (true) {
        pause();
      }
    }
    children_.push_back(pid);
    if (syscall(SYS_sched_setattr, pid, &claim, 0U) != 0) {
      return errno;
    }
  }
  return 0;
}

int Spinners::Hog(int milliseconds, const std::function<void()>& before) {
  using Clock = std::chrono::steady_clock;
  const pid_t pid = fork();
  if (pid < 0) {
    return errno;
  }
  if (pid == 0) {
    raise(SIGSTOP);
    const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
    while (Clock::now() < end) {
    }
    _exit(0);
  }
  children_.push_back(pid);
  waitpid(pid, nullptr, WUNTRACED);
  // Without the kernel's own safety net, which leaves others a twentieth of the time.
  if (const int error = WriteFile("/proc/sys/kernel/sched_rt_runtime_us", "-1"); error != 0) {
    return error;
  }
  sched_param priority{};
  priority.sched_priority = sched_get_priority_max(SCHED_FIFO);
  if (sched_setscheduler(pid, SCHED_FIFO, &priority) != 0) {
    return errno;
  }
  before();
  kill(pid, SIGCONT);
  return 0;
}

int Spinners::Stop() {
  for (const pid_t pid : children_) {
    kill(pid, SIGKILL);
  }
  for (const pid_t pid : children_) {
    waitpid(pid, nullptr, 0);
  }
  const int count = static_cast<int>(children_.size());
  children_.clear();
  return count;
}

void Spinners::Forget(pid_t pid) { std::erase(children_, pid); }

}  // namespace tidevm::guest
