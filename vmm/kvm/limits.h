// How many vCPUs KVM takes, and the check of a wish against it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::kvm {

/// KVM's limits of one VM (Documentation/virt/kvm/api.rst, 4.7 KVM_CREATE_VCPU).
struct CpuLimits {
  /// KVM_CAP_NR_VCPUS: recommended; follows the host's CPU count. 4 where the capability is
  /// missing.
  std::uint32_t recommended = 4;
  /// KVM_CAP_MAX_VCPUS: hard. The recommended number where the capability is missing.
  std::uint32_t max = 4;
  /// KVM_CAP_MAX_VCPU_ID: ids must be below. The hard number where the capability is missing.
  std::uint32_t max_id = 4;
};

/// Above this an APIC id needs interrupt remapping or an extended destination id, which the
/// in-kernel I/O APIC that tidevm uses cannot express: its redirection entries hold 8 bits, of
/// which 255 is broadcast (Intel 82093AA, 3.2.4).
inline constexpr ApicId kMaxIoApicDestination = 254;

/// Checks `max` vCPUs with APIC ids up to `highest_apic_id`. An answer with a text is a warning
/// (the recommended number is exceeded); an error names the limit, where it comes from and what to
/// do.
Result<std::optional<std::string>> CheckCpuLimits(std::uint32_t max, ApicId highest_apic_id,
                                                  const CpuLimits& limits);

}  // namespace tidevm::kvm
