#include "vmm/machine/control_types.h"

namespace tidevm::machine {
namespace {

control::OperationKind ToControl(hotplug::OperationKind kind) {
  return kind == hotplug::OperationKind::kAdd ? control::OperationKind::kAdd
                                              : control::OperationKind::kRemove;
}

control::Outcome ToControl(hotplug::Outcome outcome) {
  switch (outcome) {
    case hotplug::Outcome::kPending:
      return control::Outcome::kPending;
    case hotplug::Outcome::kDone:
      return control::Outcome::kDone;
    case hotplug::Outcome::kRefused:
      return control::Outcome::kRefused;
    case hotplug::Outcome::kFailed:
      return control::Outcome::kFailed;
    case hotplug::Outcome::kCancelled:
      return control::Outcome::kCancelled;
  }
  return control::Outcome::kFailed;
}

}  // namespace

control::OperationStatus ToControl(const hotplug::Operation& operation) {
  control::OperationStatus status;
  status.id = operation.id;
  status.kind = ToControl(operation.kind);
  status.cpu = operation.cpu;
  status.outcome = ToControl(operation.outcome);
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
  if (view.last_ost) {
    status.last_ost = {.event = view.last_ost->event, .status = view.last_ost->status};
  }
  status.device_id = view.device_id;
  return status;
}

control::event::VcpuOperation ToEvent(const hotplug::Operation& operation) {
  control::event::VcpuOperation event;
  event.id = operation.id;
  event.cpu = operation.cpu;
  event.kind = ToControl(operation.kind);
  event.phase = ToString(operation.latest.phase);
  event.outcome = ToControl(operation.outcome);
  event.reason = operation.reason;
  event.since_request = operation.latest.when - operation.reached.front().when;
  return event;
}

}  // namespace tidevm::machine
