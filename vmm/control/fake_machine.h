// For tests: a machine of four possible vCPUs, two of them there from boot, that does what it is
// told and writes down what that was.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vmm/control/machine_control.h"

namespace tidevm::control {

class FakeMachine : public MachineControl {
 public:
  FakeMachine() {
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

  void Plug(CpuId cpu, std::string device_id = "") {
    VcpuStatus& vcpu = cpus.at(cpu);
    vcpu.wanted = true;
    vcpu.state = "running";
    vcpu.thread_id = 1000 + static_cast<pid_t>(cpu);
    vcpu.affinity = CpuSet{0, 1};
    vcpu.acpi_present = true;
    vcpu.device_id = std::move(device_id);
  }

  MachineInfo info() const override { return machine; }
  RunState run_state() const override { return state; }
  std::vector<VcpuStatus> vcpus() const override { return cpus; }
  std::vector<OperationStatus> operations() const override { return begun; }

  Result<OperationStatus> AddVcpu(CpuId cpu, std::string device_id, Deadline deadline) override {
    calls.push_back(fmt::format("add {} \"{}\"{}", cpu, device_id, Within(deadline)));
    auto added = Begin(OperationKind::kAdd, cpu, deadline);
    if (added) {
      cpus.at(cpu).device_id = std::move(device_id);
    }
    return added;
  }
  Result<OperationStatus> RemoveVcpu(CpuId cpu, Deadline deadline) override {
    calls.push_back(fmt::format("remove {}{}", cpu, Within(deadline)));
    return Begin(OperationKind::kRemove, cpu, deadline);
  }
  Result<SetVcpusResult> SetVcpus(const CpuSet& wanted, Deadline deadline) override {
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
  Result<OperationStatus> CancelOperation(std::uint64_t id) override {
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
  Result<CpuSet> CpuSetForCount(std::uint32_t count) const override {
    if (count < 1 || count > machine.max_cpus) {
      return Fail(ErrorCode::kInvalidArgument, "{} vCPUs asked for; 1 to {} are possible", count,
                  machine.max_cpus);
    }
    return CpuSet::FirstN(count);
  }
  Result<void> SetAffinity(CpuId cpu, const CpuSet& host_cpus) override {
    return Plain(fmt::format("affinity {} {}", cpu, host_cpus.ToString()));
  }
  Metrics metrics() const override { return counters; }
  void Stop(std::function<void()> done) override {
    calls.emplace_back("stop");
    stop_done = std::move(done);
  }
  Result<void> Continue() override { return Plain("cont"); }
  Result<void> Powerdown() override { return Plain("powerdown"); }
  Result<void> Reset() override { return Plain("reset"); }
  void Quit() override {
    calls.emplace_back("quit");
    if (on_quit) {
      on_quit();
    }
  }

  MachineInfo machine{
      .name = "guest", .boot_cpus = 2, .max_cpus = 4, .sockets = 1, .cores = 4, .threads = 1};
  RunState state = RunState::kRunning;
  std::vector<VcpuStatus> cpus;
  std::vector<OperationStatus> begun;
  Metrics counters;
  std::vector<std::string> calls;
  std::optional<Error> error;  // of the next call that can fail
  std::function<void()> stop_done;
  std::function<void()> on_quit;
  std::function<void(const OperationStatus&)> on_begin;

 private:
  // As written down: nothing where the client named no deadline.
  static std::string Within(Deadline deadline) {
    return deadline ? fmt::format(" within {} ms", deadline->count()) : std::string();
  }
  Result<OperationStatus> Begin(OperationKind kind, CpuId cpu, Deadline deadline) {
    if (error) {
      return tl::make_unexpected(*std::exchange(error, std::nullopt));
    }
    OperationStatus operation;
    operation.id = begun.size() + 1;
    operation.kind = kind;
    operation.cpu = cpu;
    operation.deadline = deadline.value_or(kDefaultDeadline);
    operation.phases.push_back({.phase = "requested", .since_request = {}});
    begun.push_back(operation);
    cpus.at(cpu).wanted = kind == OperationKind::kAdd;
    if (on_begin) {
      on_begin(operation);
    }
    return operation;
  }
  Result<void> Plain(std::string name) {
    calls.push_back(std::move(name));
    if (error) {
      return tl::make_unexpected(*std::exchange(error, std::nullopt));
    }
    return {};
  }
};

}  // namespace tidevm::control
