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

class FakeMachine final : public MachineControl {
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
    vcpu.acpi_present = true;
    vcpu.device_id = std::move(device_id);
  }

  MachineInfo info() const override { return machine; }
  RunState run_state() const override { return state; }
  std::vector<VcpuStatus> vcpus() const override { return cpus; }
  std::vector<OperationStatus> operations() const override { return begun; }

  Result<OperationStatus> AddVcpu(CpuId cpu, std::string device_id) override {
    calls.push_back(fmt::format("add {} \"{}\"", cpu, device_id));
    return Begin(OperationKind::kAdd, cpu);
  }
  Result<OperationStatus> RemoveVcpu(CpuId cpu) override {
    calls.push_back(fmt::format("remove {}", cpu));
    return Begin(OperationKind::kRemove, cpu);
  }
  Result<SetVcpusResult> SetVcpus(const CpuSet& wanted) override {
    calls.push_back("set " + wanted.ToString());
    SetVcpusResult result{.wanted = wanted, .operations = {}};
    for (const VcpuStatus& vcpu : std::vector(cpus)) {
      if (vcpu.wanted != wanted.Contains(vcpu.cpu)) {
        auto begun_now =
            Begin(vcpu.wanted ? OperationKind::kRemove : OperationKind::kAdd, vcpu.cpu);
        if (!begun_now) {
          return tl::make_unexpected(begun_now.error());
        }
        result.operations.push_back(*begun_now);
      }
    }
    return result;
  }
  Result<CpuSet> CpuSetForCount(std::uint32_t count) const override {
    if (count < 1 || count > machine.max_cpus) {
      return Fail(ErrorCode::kInvalidArgument, "{} vCPUs asked for; 1 to {} are possible", count,
                  machine.max_cpus);
    }
    return CpuSet::FirstN(count);
  }
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
  std::vector<std::string> calls;
  std::optional<Error> error;  // of the next call that can fail
  std::function<void()> stop_done;
  std::function<void()> on_quit;
  std::function<void(const OperationStatus&)> on_begin;

 private:
  Result<OperationStatus> Begin(OperationKind kind, CpuId cpu) {
    if (error) {
      return tl::make_unexpected(*std::exchange(error, std::nullopt));
    }
    OperationStatus operation;
    operation.id = begun.size() + 1;
    operation.kind = kind;
    operation.cpu = cpu;
    operation.phases.push_back({.phase = "requested", .since_request = {}});
    begun.push_back(operation);
    cpus.at(cpu).wanted = kind == OperationKind::kAdd;
    if (on_begin) {
      on_begin(operation);
    }
    return operation;
  }
  Result<void> Plain(const char* name) {
    calls.emplace_back(name);
    if (error) {
      return tl::make_unexpected(*std::exchange(error, std::nullopt));
    }
    return {};
  }
};

}  // namespace tidevm::control
