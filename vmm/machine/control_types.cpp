#include "vmm/machine/control_types.h"

#include <algorithm>
#include <array>

#include "vmm/kvm/exit.h"

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
  status.deadline = operation.patience;
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
  status.online = view.online;
  status.affinity = view.affinity;
  status.last_ost = view.last_ost;
  status.device_id = view.device_id;
  return status;
}

control::Metrics ToControl(const std::list<hotplug::Operation>& operations,
                           const hotplug::OperationMetrics& metrics) {
  constexpr std::array kEnds = {Outcome::kDone, Outcome::kRefused, Outcome::kFailed,
                                Outcome::kCancelled, Outcome::kTimedOut};
  control::Metrics all;
  for (const OperationKind kind : {OperationKind::kAdd, OperationKind::kRemove}) {
    const auto pending = std::ranges::count_if(operations, [kind](const auto& operation) {
      return operation.pending() && operation.kind == kind;
    });
    all.operations.push_back(
        {.kind = kind, .outcome = Outcome::kPending, .count = static_cast<std::uint64_t>(pending)});
    for (const Outcome outcome : kEnds) {
      all.operations.push_back(
          {.kind = kind, .outcome = outcome, .count = metrics.ended(kind, outcome)});
    }
    for (const hotplug::Phase phase : hotplug::PhasesOf(kind)) {
      const auto latency = metrics.latency(kind, phase);
      all.phases.push_back(
          {.kind = kind,
           .phase = ToString(phase),
           .latency = {.bounds = {hotplug::kLatencyBounds.begin(), hotplug::kLatencyBounds.end()},
                       .counts = {latency.counts.begin(), latency.counts.end()},
                       .sum = latency.sum}});
    }
  }
  return all;
}

control::VcpuMetrics ToControlMetrics(const vcpu::Vcpu& vcpu) {
  control::VcpuMetrics metrics{.cpu = vcpu.cpu(), .cpu_time = vcpu.total_cpu_time(), .exits = {}};
  const auto counts = vcpu.exit_counts();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    metrics.exits.push_back({.kind = kvm::kExitNames.at(i), .count = counts[i]});
  }
  return metrics;
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
