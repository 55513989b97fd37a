// The commands about vCPUs that are tidevm's own. Contract of every one: see CommandHandler in
// commands.h.
#pragma once

#include "vmm/control/commands.h"

namespace tidevm::control {

void QueryVcpus(MachineControl& machine, const Json& arguments, const Reply& reply);
void QueryVcpuOperations(MachineControl& machine, const Json& arguments, const Reply& reply);
void SetVcpus(MachineControl& machine, const Json& arguments, const Reply& reply);
void CancelVcpuOperation(MachineControl& machine, const Json& arguments, const Reply& reply);
void SetVcpuAffinity(MachineControl& machine, const Json& arguments, const Reply& reply);
void QueryMetrics(MachineControl& machine, const Json& arguments, const Reply& reply);

}  // namespace tidevm::control
