#include "vmm/control/fake_machine.h"

#include <algorithm>
#include <utility>

namespace tidevm::control {
namespace {

// As written down: nothing where the client named no deadline.
std::string Within(Deadline deadline) {
  return deadline ? fmt::format(" within {} ms", deadline->count()) : std::string();
}

}  // namespace

FakeMachine::FakeMachine() {
  for (CpuId cpu = 0; cpu < machine.max_cpus; ++cpu) {
    VcpuStatus vcpu;
    vcpu.cpu = cpu;
    vcpu.apic_id = cpu;
    vcpu.place = {.socket = 0, .core = cpu, .thread = 0};
    vcpu.state = "absent";
    cpus.push_back(vcpu);
  }
  Plug(0);
  Plug(1);
}

FakeMachine::~FakeMachine() = default;

void FakeMachine::Plug(CpuId cpu, std::string device_id) {
  VcpuStatus& vcpu = cpus.at(cpu);
  vcpu.wanted = true;
  vcpu.state = "running";
  vcpu.thread_id = 1000 + static_cast<pid_t>(cpu);
  vcpu.affinity = CpuSet{0, 1};
  vcpu.acpi_present = true;
  vcpu.device_id = std::move(device_id);
}

MachineInfo FakeMachine::info() const { return machine; }
RunState FakeMachine::run_state() const { return state; }
std::vector<VcpuStatus> FakeMachine::vcpus() const { return cpus; }
std::vector<OperationStatus> FakeMachine::operations() const { return begun; }

Result<OperationStatus> FakeMachine::AddVcpu(CpuId cpu, std::string device_id, Deadline deadline) {
  calls.push_back(fmt::format("add {} \"{}\"{}", cpu, device_id, Within(deadline)));
  auto added = Begin(OperationKind::kAdd, cpu, deadline);
  if (added) {
    cpus.at(cpu).device_id = std::move(device_id);
  }
  return added;
}

Result<OperationStatus> FakeMachine::RemoveVcpu(CpuId cpu, Deadline deadline) {
  calls.push_back(fmt::format("remove {}{}", cpu, Within(deadline)));
  return Begin(OperationKind::kRemove, cpu, deadline);
}

Result<SetVcpusResult> FakeMachine::SetVcpus(const CpuSet& wanted, Deadline deadline) {
  calls.push_back("set " + wanted.ToString() + Within(deadline));
  SetVcpusResult result{.wanted = wanted, .operations = {}};
  for (const VcpuStatus& vcpu : std::vector(cpus)) {
    if (vcpu.wanted != wanted.Contains(vcpu.cpu)) {
      auto begun_now =
          Begin(vcpu.wanted ? OperationKind::kRemove : OperationKind::kAdd, vcpu.cpu, deadline);
      if (!begun_now) {
        return tl::make_unexpected(begun_now.error());
      }
      result.operations.push_back(*begun_now);
    }
  }
  return result;
}

Result<OperationStatus> FakeMachine::CancelOperation(std::uint64_t id) {
  calls.push_back(fmt::format("cancel {}", id));
  if (error) {
    return tl::make_unexpected(*std::exchange(error, std::nullopt));
  }
  const auto operation = std::find_if(begun.begin(), begun.end(), [id](const auto& candidate) {
    return candidate.id == id && candidate.outcome == Outcome::kPending;
  });
  if (operation == begun.end()) {
    return Fail(ErrorCode::kNotFound, "no pending operation has the id {}", id);
  }
  operation->outcome = Outcome::kCancelled;
  operation->reason = "cancelled by its client";
  cpus.at(operation->cpu).wanted = operation->kind == OperationKind::kRemove;
  return *operation;
}

Result<CpuSet> FakeMachine::CpuSetForCount(std::uint32_t count) const {
  if (count < 1 || count > machine.max_cpus) {
    return Fail(ErrorCode::kInvalidArgument, "{} vCPUs asked for; 1 to {} are possible", count,
                machine.max_cpus);
  }
  return CpuSet::FirstN(count);
}

Result<void> FakeMachine::SetAffinity(CpuId cpu, const CpuSet& host_cpus) {
  return Plain(fmt::format("affinity {} {}", cpu, host_cpus.ToString()));
}

Metrics FakeMachine::metrics() const { return counters; }

void FakeMachine::Stop(std::function<void()> done) {
  calls.emplace_back("stop");
  stop_done = std::move(done);
}

Result<void> FakeMachine::Continue() { return Plain("cont"); }
Result<void> FakeMachine::Powerdown() { return Plain("powerdown"); }
Result<void> FakeMachine::Reset() { return Plain("reset"); }

void FakeMachine::Quit() {
  calls.emplace_back("quit");
  if (on_quit) {
    on_quit();
  }
}

Result<OperationStatus> FakeMachine::Begin(OperationKind kind, CpuId cpu, Deadline deadline) {
  if (error) {
    return tl::make_unexpected(*std::exchange(error, std::nullopt));
  }
  OperationStatus operation;
  operation.id = begun.size() + 1;
  operation.kind = kind;
  operation.cpu = cpu;
  operation.deadline = deadline.value_or(kDefaultDeadline);
  operation.phases.push_back({.phase = "requested", .since_request = {}});
  if (failure) {
    operation.outcome = Outcome::kFailed;
    operation.reason = *failure;
    begun.push_back(operation);
    return operation;
  }
  begun.push_back(operation);
  cpus.at(cpu).wanted = kind == OperationKind::kAdd;
  if (on_begin) {
    on_begin(operation);
  }
  return operation;
}

Result<void> FakeMachine::Plain(std::string name) {
  calls.push_back(std::move(name));
  if (error) {
    return tl::make_unexpected(*std::exchange(error, std::nullopt));
  }
  return {};
}

}  // namespace tidevm::control
