// MADT, revision 5: interrupt controllers and every possible CPU. ACPI 6.3, 5.2.12.
#pragma once

#include <cstdint>
#include <span>

#include "firmware/acpi_config.h"
#include "firmware/bytes.h"

namespace tidevm::firmware {

/// Flags of a local APIC entry. Never both: Online Capable is reserved where Enabled is set.
inline constexpr std::uint32_t kMadtEnabled = 1U << 0;
inline constexpr std::uint32_t kMadtOnlineCapable = 1U << 1;

/// The entry of one CPU: Processor Local APIC (type 0) for APIC ids up to 254, Processor Local
/// x2APIC (type 9) above. Linux drops type 9 entries with smaller ids when there are type 0 ones.
Bytes MadtCpuEntry(const CpuEntry& cpu, std::uint32_t flags);

/// The whole table. Linux up to 6.2 (and early 6.1.y) as well as from the end of 2025 on takes a
/// CPU that is not enabled for a pluggable one only when it is Online Capable.
Bytes BuildMadt(std::span<const CpuEntry> cpus);

}  // namespace tidevm::firmware
