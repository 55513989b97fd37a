// Hotplug's records in the control plane's words.
#pragma once

#include <list>

#include "vmm/control/events.h"
#include "vmm/control/machine_control.h"
#include "vmm/hotplug/hotplug_controller.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::machine {

control::OperationStatus ToControl(const hotplug::Operation& operation);
control::VcpuStatus ToControl(CpuId cpu, const hotplug::CpuView& view,
                              const vcpu::Topology& topology);
/// All but the vCPUs.
control::Metrics ToControl(const std::list<hotplug::Operation>& operations,
                           const hotplug::OperationMetrics& metrics);
control::VcpuMetrics ToControlMetrics(const vcpu::Vcpu& vcpu);
control::event::VcpuOperation ToEvent(const hotplug::Operation& operation);

}  // namespace tidevm::machine
