#include "spinners.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>

#include "cpus.h"

namespace tidevm::guest {
namespace {

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
