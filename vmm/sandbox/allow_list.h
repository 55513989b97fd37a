// What each kind of thread may ask of the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidevm::sandbox {

enum class ThreadKind {
  kMachine,  // the one with the event loop, once the machine is built
  kVcpu,     // one that runs a vCPU
};

std::string_view ToString(ThreadKind kind);

/// (argument & mask) == value. Of an argument the lower 32 bits count: those that are looked at are
/// all int or unsigned int, of which the kernel sees no more.
struct Condition {
  unsigned argument = 0;  // from 0 on
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  std::string_view meaning{};  // for people
};

/// One way to make a system call. A call may be in several rules; one that fits is enough.
struct CallRule {
  int number = 0;  // SYS_*
  std::string_view why{};
  std::vector<Condition> conditions{};  // all of them must hold; none: any arguments will do
  int answer = 0;                       // an errno that the call gives instead of being made
};

/// What the lists depend on beside the kind of thread.
struct ProcessFacts {
  pid_t pid = 0;               // signals go nowhere else
  bool removes_socket = true;  // at the end: the file of the control socket is tidevm's own
};

/// The rules of a kind of thread. Filters are inherited: what a vCPU thread may do is in the
/// machine thread's list too, and so is what a thread does between its start and its own filter.
std::vector<CallRule> RulesOf(ThreadKind kind, const ProcessFacts& facts);

/// Different system calls in `rules` that are really made.
std::size_t CountCalls(const std::vector<CallRule>& rules);

/// The lists of all kinds, for --show-seccomp.
std::string DescribeAllowLists();

}  // namespace tidevm::sandbox
