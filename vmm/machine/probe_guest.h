// Runs one test of the probe guest in a virtual machine of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "tidevm/result.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/system.h"

namespace tidevm::machine {

/// The entries of probe_guest.S, in its order.
enum class ProbeTest : std::uint8_t {
  kBasic,
  kUserMode,
  kSystemCall,
  kUserInterrupt,
  kUserPageFault,
  kCmpxchg16b,
  kPopcnt,
  kInt3,
  kLdmxcsr,
  kXsave,
  kSmap,
  kFwait,
  kSecondProcessor,
  kSpeed,
  kIoCost,
};
inline constexpr std::size_t kProbeTests = 15;

enum class ProbeEnd : std::uint8_t {
  kPassed,
  kNotOffered,  ///< CPUID in the guest says that there is no such feature
  kFailed,      ///< see `reason`
};

struct ProbeOutcome {
  ProbeEnd end = ProbeEnd::kFailed;
  /// How far it got: the STAGE that the guest reported last.
  std::uint32_t stage = 0;
  /// Why it failed: what the guest found, an exception, KVM's exit, or the time limit.
  std::string reason;
  /// For the tests that measure: units of work, and the vCPU thread's processor time for them.
  /// Processor time, so that a busy host does not look like a slow KVM.
  std::uint64_t work = 0;
  std::chrono::nanoseconds cpu_time{};
};

/// Makes a VM, runs `test` on threads of its own and waits for them. Never longer than a few
/// seconds. The failure side is for a host that cannot make such a VM at all.
Result<ProbeOutcome> RunProbe(const kvm::System& system,
                              std::span<const kvm_cpuid_entry2> supported_cpuid, ProbeTest test);

}  // namespace tidevm::machine
