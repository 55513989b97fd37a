// The guest's side of CPU hotplug: \_SB.CPUS with one device per possible CPU, in AML that drives
// the registers of tidevm/cpu_hotplug_registers.h.
//
// Accesses are exits to the VMM, so they are counted:
//   _STA   2: selector, read flags
//   _EJ0   2: selector, write flags
//   _OST   5: selector, command, data, command, data
//   CSCN   4 for each pending event and 2 to see that there is none left
#pragma once

#include <span>

#include "firmware/acpi_config.h"
#include "firmware/aml.h"

namespace tidevm::firmware {

/// The method that serves every pending event; it takes no arguments.
inline constexpr aml::Path kCpuScanMethod = "\\_SB.CPUS.CSCN";

/// Device (\_SB.CPUS). At most aml::Path::kNumberedLimit CPUs, uid 0, 1, 2, ... in order.
aml::Term CpuHotplugDevice(std::span<const CpuEntry> cpus);

}  // namespace tidevm::firmware
