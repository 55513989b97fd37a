// What a vCPU is at creation, and the way back to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tidevm/result.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vcpu.h"

namespace tidevm::vcpu {

/// The MSRs that belong to one vCPU's pristine state: KVM's own list and the MTRRs and
/// machine-check banks that it leaves out, without
/// - the TSC and its adjustment: KVM keeps a vCPU that was created with TSC 0 in step with the
///   others; a write marks the TSC unstable in the guest;
/// - MSRs that belong to the whole VM (the kvmclock wall clock, Hyper-V's).
std::vector<std::uint32_t> PristineMsrs(std::span<const std::uint32_t> kvm_index_list);

/// Everything of a vCPU that a guest can change, as KVM_CREATE_VCPU and KVM_SET_CPUID2 left it. KVM
/// has no way to destroy or to reset a vCPU from outside, so a vCPU that comes back from the park,
/// or through a guest reset, is made new by writing all of it.
class PristineState {
 public:
  static Result<PristineState> Capture(const kvm::Vcpu& vcpu, std::span<const std::uint32_t> msrs);

  /// Call when no thread runs the vCPU and its last exit was completed (an INIT or SIPI that was
  /// latched meanwhile is dropped).
  Result<void> Restore(kvm::Vcpu& vcpu) const;

  /// Writes the LAPIC alone, as it is.
  Result<void> EnterApicMap(kvm::Vcpu& vcpu) const { return vcpu.SetLapic(lapic_); }

 private:
  PristineState() = default;

  kvm_regs regs_{};
  kvm_sregs sregs_{};
  kvm::XsaveArea xsave_{};
  kvm_xcrs xcrs_{};
  kvm_debugregs debug_regs_{};
  kvm_lapic_state lapic_{};
  kvm_vcpu_events events_{};
  kvm_mp_state mp_state_{};
  std::vector<kvm_msr_entry> msrs_;
};

}  // namespace tidevm::vcpu
