// The commands about vCPUs that QEMU has. Contract of every one: see CommandHandler in commands.h.
#pragma once

#include "vmm/control/commands.h"

namespace tidevm::control {

// qapi/machine.json, qdev.json, acpi.json.
void QueryCpusFast(MachineControl& machine, const Json& arguments, const Reply& reply);
void QueryHotpluggableCpus(MachineControl& machine, const Json& arguments, const Reply& reply);
void QueryAcpiOspmStatus(MachineControl& machine, const Json& arguments, const Reply& reply);
void DeviceAdd(MachineControl& machine, const Json& arguments, const Reply& reply);
void DeviceDel(MachineControl& machine, const Json& arguments, const Reply& reply);

}  // namespace tidevm::control
