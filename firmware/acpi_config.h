// What the tables are made from.
#pragma once

#include <vector>

#include "tidevm/ids.h"

namespace tidevm::firmware {

/// One possible CPU: present at boot, or pluggable later.
struct CpuEntry {
  CpuId uid = 0;  // ACPI processor UID and the selector in the hotplug registers
  ApicId apic_id = 0;
  bool enabled_at_boot = false;
};

struct AcpiConfig {
  /// Every possible CPU: uid 0, 1, 2, ... in order, APIC ids ascending, the first one enabled.
  std::vector<CpuEntry> cpus;
  bool pvpanic = false;  // describe the pvpanic port
};

}  // namespace tidevm::firmware
