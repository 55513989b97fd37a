// Hotplug's records in the control plane's words.
#pragma once

#include "vmm/control/events.h"
#include "vmm/control/machine_control.h"
#include "vmm/hotplug/hotplug_controller.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::machine {

control::OperationStatus ToControl(const hotplug::Operation& operation);
control::VcpuStatus ToControl(CpuId cpu, const hotplug::CpuView& view,
                              const vcpu::Topology& topology);
control::event::VcpuOperation ToEvent(const hotplug::Operation& operation);

}  // namespace tidevm::machine
