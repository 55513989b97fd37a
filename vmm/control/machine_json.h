// The machine's values as QMP shows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vmm/control/events.h"
#include "vmm/control/machine_control.h"
#include "vmm/control/qmp_message.h"

namespace tidevm::control {

/// The driver name of device_add, and the type in query-hotpluggable-cpus.
inline constexpr std::string_view kCpuType = "host-x86_64-cpu";

std::string_view YesNoUnknown(const std::optional<bool>& value);  // "yes", "no", "unknown"
std::string_view ToString(RunState state);
std::string_view ToString(ShutdownCause cause);

/// The host has an object for this CPU: from the request to add it until the removal is complete.
bool IsPlugged(const VcpuStatus& vcpu);

/// The CPU's path as QEMU would name it:
///   /machine/peripheral/ID            with a device id
///   /machine/unattached/device[CPU]   there since boot
///   /machine/peripheral-anon/device[CPU]  plugged without an id
/// QEMU counts its devices; tidevm writes the CPU's id, so a path stays true across unplug and
/// plug.
std::string QomPath(std::string_view device_id, CpuId cpu, bool boot_cpu);
std::string QomPath(const VcpuStatus& vcpu, const MachineInfo& info);

Json ToJson(const CpuPlace& place);             // CpuInstanceProperties
Json ToJson(const OperationStatus& operation);  // query-vcpu-operations, set-vcpus
Json ToCpuInfoFast(const VcpuStatus& vcpu, const MachineInfo& info);
Json ToHotpluggableCpu(const VcpuStatus& vcpu, const MachineInfo& info);
Json ToOstInfo(const VcpuStatus& vcpu);                            // ACPIOSTInfo
Json ToVcpuInfo(const VcpuStatus& vcpu, const MachineInfo& info);  // query-vcpus

/// An event's QMP name, and its data or null.
struct EventMessage {
  std::string_view name;
  Json data;
};
EventMessage ToMessage(const Event& event);

}  // namespace tidevm::control
