#include "vmm/machine/control_types.h"

namespace tidevm::machine {
control::OperationStatus ToControl(const hotplug::Operation& operation) {
  control::OperationStatus status;
  status.id = operation.id;
  status.kind = operation.kind;
  status.cpu = operation.cpu;
  status.outcome = operation.outcome;
  status.reason = operation.reason;
  status.phases.reserve(operation.reached.size());
  for (const hotplug::Operation::Reached& reached : operation.reached) {
    status.phases.push_back({.phase = ToString(reached.phase),
                             .since_request = reached.when - operation.reached.front().when});
  }
  return status;
}

control::VcpuStatus ToControl(CpuId cpu, const hotplug::CpuView& view,
                              const vcpu::Topology& topology) {
  const vcpu::Place place = topology.PlaceOf(cpu);
  control::VcpuStatus status;
  status.cpu = cpu;
  status.apic_id = topology.ApicIdOf(cpu);
  status.place = {.socket = place.socket, .core = place.core, .thread = place.thread};
  status.wanted = view.wanted;
  status.state = ToString(view.state);
  status.thread_id = view.thread_id;
  status.cpu_time = view.cpu_time;
  status.acpi_present = view.flags.present;
  status.insert_event = view.flags.insert_event;
  status.remove_event = view.flags.remove_event;
  status.registered = view.registered;
  status.last_ost = view.last_ost;
  status.device_id = view.device_id;
  return status;
}

control::event::VcpuOperation ToEvent(const hotplug::Operation& operation) {
  control::event::VcpuOperation event;
  event.id = operation.id;
  event.cpu = operation.cpu;
  event.kind = operation.kind;
  event.phase = ToString(operation.latest.phase);
  event.outcome = operation.outcome;
  event.reason = operation.reason;
  event.since_request = operation.latest.when - operation.reached.front().when;
  return event;
}

}  // namespace tidevm::machine
