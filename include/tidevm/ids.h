// Names for the numbers that must not be confused with one another.
#pragma once

#include <cstdint>

namespace tidevm {

/// A vCPU as the user, the control socket and the ACPI _UID count it: 0 .. max-1, dense.
using CpuId = std::uint32_t;

/// What KVM_CREATE_VCPU takes and the MADT lists. Sparse where a topology level is no power of two.
using ApicId = std::uint32_t;

/// Guest physical address.
using Gpa = std::uint64_t;

/// Global system interrupt: the I/O APIC pin.
using Gsi = std::uint32_t;

}  // namespace tidevm
