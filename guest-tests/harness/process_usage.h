// What /proc says of a VMM's process: memory, CPU time, context switches.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tidevm/result.h"

namespace tidevm::guest_tests {

/// Bytes, over all mappings but the guest's RAM.
struct MemoryUse {
  std::uint64_t resident = 0;        // Rss
  std::uint64_t proportional = 0;    // Pss: a shared page counts for its part
  std::uint64_t private_dirty = 0;   // written by this process: what one more VM costs
  std::uint64_t guest_resident = 0;  // of the guest's RAM
};

/// From the text of /proc/PID/smaps. The guest's RAM is the one mapping of exactly that size; it is
/// an error if there is none, or a second one.
Result<MemoryUse> ParseSmaps(std::string_view smaps, std::uint64_t guest_memory);
Result<MemoryUse> ReadMemoryUse(pid_t pid, std::uint64_t guest_memory);

/// CPU time: of the process with its ended threads, and of its threads that run no guest.
struct CpuTime {
  std::chrono::nanoseconds total{};
  std::chrono::nanoseconds others{};
  std::chrono::nanoseconds vcpus() const { return total - others; }
};
Result<CpuTime> ReadCpuTime(pid_t pid);

/// Voluntary and involuntary, since the start of each thread that is there now.
struct ContextSwitches {
  std::uint64_t vcpus = 0;
  std::uint64_t others = 0;
};
Result<ContextSwitches> ReadContextSwitches(pid_t pid);

/// By a thread's name: tidevm's "vcpu-3", QEMU's "CPU 3/KVM".
bool IsVcpuThread(std::string_view name);

/// The first number of /proc/PID/task/TID/schedstat: nanoseconds on a CPU.
std::optional<std::chrono::nanoseconds> ParseSchedstat(std::string_view text);
/// The sum of the two counts in /proc/PID/task/TID/status.
std::optional<std::uint64_t> ParseSwitches(std::string_view status);

}  // namespace tidevm::guest_tests
