// What CPUID tells a guest.
#pragma once

#include <span>
#include <vector>

#include "tidevm/ids.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::vcpu {

/// The CPUID table of vCPU `cpu`, made from what KVM supports (KVM_GET_SUPPORTED_CPUID):
/// - topology leaves (1, 4, 0xB, 0x1F; AMD 0x80000008, 0x8000001D, 0x8000001E) sized for the
///   maximum, not for the CPUs present now, so that they never change under the guest;
/// - the hypervisor bit, so that Linux looks for the KVM leaves, which are KVM's own;
/// - no VMX and no SVM: with them, hot-added CPUs of some hosts fail to come online ("Inconsistent
///   VMCS config");
/// - the TSC deadline timer where `tsc_deadline_timer` says that KVM has it.
/// Sources: Intel SDM vol. 2A "CPUID", AMD APM vol. 3 appendix E.
std::vector<kvm_cpuid_entry2> BuildCpuid(std::span<const kvm_cpuid_entry2> supported,
                                         const Topology& topology, CpuId cpu,
                                         bool tsc_deadline_timer);

}  // namespace tidevm::vcpu
