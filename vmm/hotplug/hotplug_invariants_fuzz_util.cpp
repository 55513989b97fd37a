#include "vmm/hotplug/hotplug_invariants_fuzz_util.h"

#include <algorithm>

#include "fuzzing/require.h"

namespace tidevm::hotplug {
namespace {

using fuzzing::Require;
using vcpu::VcpuState;

/// Of one vCPU.
struct Known {
  std::vector<const Operation*> pending;  // the one under way first
  const Operation* last_add = nullptr;
};

std::vector<Known> KnownOf(const TestBench& bench) {
  std::vector<Known> known(bench.controller.max());
  for (const Operation& operation : bench.controller.operations()) {
    Known& of_cpu = known.at(operation.cpu);
    if (operation.pending()) {
      of_cpu.pending.push_back(&operation);
    }
    if (operation.kind == OperationKind::kAdd) {
      of_cpu.last_add = &operation;
    }
  }
  return known;
}

/// Then the guest may have kept what the host gave up.
bool CameToNothing(const Operation* add) {
  return add != nullptr &&
         (add->outcome == Outcome::kRefused || add->outcome == Outcome::kTimedOut ||
          add->outcome == Outcome::kCancelled);
}

void RequireSound(const Operation& operation, const Moment& moment) {
  const bool explains =
      operation.outcome != Outcome::kPending && operation.outcome != Outcome::kDone;
  Require(operation.reason.empty() != explains, "operation {} is {}, for the reason \"{}\"",
          operation.id, ToString(operation.outcome), operation.reason);
  Require(operation.outcome != Outcome::kFailed || moment.broken,
          "operation {} failed, and no call of KVM did: {}", operation.id, operation.reason);
  Require(!operation.reached.empty() && operation.reached.front().phase == Phase::kRequested,
          "operation {} began before it was requested", operation.id);
  Require(std::ranges::is_sorted(operation.reached, {}, &Operation::Reached::when),
          "the phases of operation {} are not in order of time", operation.id);
}

void RequirePending(CpuId cpu, const CpuView& view, const Known& known) {
  const auto& pending = known.pending;
  Require(pending.size() <= 2, "vCPU {} has {} pending operations", cpu, pending.size());
  Require(pending.size() < 2 || pending[0]->kind != pending[1]->kind,
          "vCPU {} has two pending operations of one kind", cpu);
  Require(pending.empty() || view.wanted == (pending.back()->kind == OperationKind::kAdd),
          "vCPU {}: wanted is {:d}, and the last request says otherwise", cpu, view.wanted);
}

void RequireFlags(CpuId cpu, const CpuView& view, const Known& known, const Moment& moment) {
  const CpuFlags& flags = view.flags;
  const bool removing =
      !known.pending.empty() && known.pending.front()->kind == OperationKind::kRemove;
  Require(!flags.eject_authorised || removing, "vCPU {} may be ejected, and nobody asked", cpu);
  Require(!flags.remove_event || (flags.eject_authorised && (flags.present || flags.insert_event)),
          "vCPU {}: the guest is asked for what it does not have, or must not give", cpu);
  if (moment.resetting || moment.broken) {
    return;
  }
  if (known.pending.empty() && view.wanted) {
    Require(view.state == VcpuState::kRunning && flags.present, "vCPU {} is plugged, and {}", cpu,
            ToString(view.state));
  }
  if (known.pending.empty() && !view.wanted && flags.present) {
    Require(CameToNothing(known.last_add), "vCPU {} is present, and nobody wants it", cpu);
  }
  if (view.state == VcpuState::kParked || view.state == VcpuState::kAbsent) {
    Require(flags == CpuFlags{}, "vCPU {} is {}, and the guest sees something of it", cpu,
            ToString(view.state));
  }
  if (view.state == VcpuState::kUnplugRequested) {
    Require(removing, "vCPU {} is unplug-requested, and no removal is under way", cpu);
  }
  if (view.state == VcpuState::kEjecting) {
    Require(removing || CameToNothing(known.last_add) || view.wanted,
            "vCPU {} is being ejected for no reason", cpu);
  }
}

}  // namespace

void RequireInvariants(const TestBench& bench, const Moment& moment) {
  for (const Operation& operation : bench.controller.operations()) {
    RequireSound(operation, moment);
  }
  const std::vector<Known> known = KnownOf(bench);
  for (CpuId cpu = 0; cpu < bench.controller.max(); ++cpu) {
    const CpuView view = bench.controller.View(cpu);
    RequirePending(cpu, view, known[cpu]);
    RequireFlags(cpu, view, known[cpu], moment);
    Require(view.state != VcpuState::kFailed || moment.broken,
            "vCPU {} failed, and no call of KVM did", cpu);
  }
  Require(bench.registers.flags(0) == CpuFlags{.present = true} && known[0].pending.empty() &&
              bench.controller.wanted().Contains(0),
          "vCPU 0 is not simply there");
}

void RequireAtRest(const TestBench& bench) {
  Require(bench.pending_count() == 0, "{} operations never end", bench.pending_count());
  Require(!bench.line.high(), "the interrupt line stays high");
  const CpuSet running = bench.with_thread();
  Require(bench.present() == running, "the guest has {}, of which {} run",
          bench.present().ToString(), running.ToString());
  const std::vector<Known> known = KnownOf(bench);
  for (CpuId cpu = 0; cpu < bench.controller.max(); ++cpu) {
    const bool runs = running.Contains(cpu);
    Require(
        runs == bench.controller.View(cpu).wanted || (runs && CameToNothing(known[cpu].last_add)),
        "vCPU {} runs: {:d}, and the opposite is wanted", cpu, runs);
  }
}

}  // namespace tidevm::hotplug
