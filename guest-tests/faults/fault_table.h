// What a test tells the fault shim: rules, in a file that both have mapped.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace tidevm::guest_tests {

/// Which call is to fail.
enum class FaultCall : std::uint32_t {
  kNone,  // the rule is off
  kIoctl,
  kMmap,
  kThreadCreation,
  kAccept,
  kEventFd,
  kTimerFd,
  kSignalFd,
  kEpollCreation,
};

inline constexpr std::int64_t kAnySubject = -1;

/// The calls that match, but for the first `skip`, fail; `times` of them.
struct Fault {
  FaultCall call = FaultCall::kNone;
  std::uint64_t request = 0;  // kIoctl: its number; kMmap of no file: the least length
  /// kIoctl, kMmap: the APIC id of the vCPU; of KVM_IRQ_LINE the GSI.
  std::int64_t subject = kAnySubject;
  std::uint32_t skip = 0;
  std::uint32_t times = 1;
  int error = 0;                  // errno, or ...
  std::uint32_t exit_reason = 0;  // ... of KVM_RUN: what it exits with
};

/// The test writes `fault` and then `armed`, the shim looks at `armed` first. The counters are the
/// shim's, whose threads may meet in one rule.
struct FaultRule {
  std::atomic<bool> armed;
  Fault fault;
  std::atomic<std::uint32_t> seen;
  std::atomic<std::uint32_t> hits;
};

/// All zeros, as a new file is: nothing fails.
struct FaultTable {
  std::array<FaultRule, 8> rules;
};

static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "shared between processes");

/// The environment variable with the table's path.
inline constexpr const char* kFaultTableVariable = "TIDEVM_FAULT_TABLE";

}  // namespace tidevm::guest_tests
