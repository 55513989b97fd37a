#include "vmm/kvm/limits.h"

#include <algorithm>

namespace tidevm::kvm {

Result<std::optional<std::string>> CheckCpuLimits(std::uint32_t max, ApicId highest_apic_id,
                                                  const CpuLimits& limits) {
  if (max > limits.max) {
    return Fail(ErrorCode::kLimitExceeded,
                "--cpus max={}: this KVM takes {} vCPUs at most (KVM_CAP_MAX_VCPUS); use "
                "max={} or less",
                max, limits.max, std::min(limits.max, kMaxIoApicDestination + 1));
  }
  if (highest_apic_id >= limits.max_id) {
    return Fail(ErrorCode::kLimitExceeded,
                "--cpus max={}: the topology gives APIC ids up to {}, this KVM takes ids below {} "
                "(KVM_CAP_MAX_VCPU_ID); use fewer vCPUs or powers of two for cores and threads",
                max, highest_apic_id, limits.max_id);
  }
  if (highest_apic_id > kMaxIoApicDestination) {
    return Fail(
        ErrorCode::kLimitExceeded,
        "--cpus max={}: the topology gives APIC ids up to {}, tidevm's interrupts reach ids "
        "up to {}; use max=255 or less, and powers of two for cores and threads",
        max, highest_apic_id, kMaxIoApicDestination);
  }
  if (max > limits.recommended) {
    return fmt::format(
        "--cpus max={} is above the {} vCPUs that KVM recommends on this host "
        "(KVM_CAP_NR_VCPUS); it will run, but vCPUs will share host CPUs",
        max, limits.recommended);
  }
  return std::nullopt;
}

}  // namespace tidevm::kvm
