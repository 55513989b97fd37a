// For tests: a machine of four possible vCPUs, two of them there from boot, that does what it is
// told and writes down what that was.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vmm/control/machine_control.h"

namespace tidevm::control {

class FakeMachine : public MachineControl {
 public:
  FakeMachine();
  ~FakeMachine() override;

  void Plug(CpuId cpu, std::string device_id = "");

  MachineInfo info() const override;
  RunState run_state() const override;
  std::vector<VcpuStatus> vcpus() const override;
  std::vector<OperationStatus> operations() const override;

  Result<OperationStatus> AddVcpu(CpuId cpu, std::string device_id, Deadline deadline) override;
  Result<OperationStatus> RemoveVcpu(CpuId cpu, Deadline deadline) override;
  Result<SetVcpusResult> SetVcpus(const CpuSet& wanted, Deadline deadline) override;
  Result<OperationStatus> CancelOperation(std::uint64_t id) override;
  Result<CpuSet> CpuSetForCount(std::uint32_t count) const override;
  Result<void> SetAffinity(CpuId cpu, const CpuSet& host_cpus) override;
  Metrics metrics() const override;
  void Stop(std::function<void()> done) override;
  Result<void> Continue() override;
  Result<void> Powerdown() override;
  Result<void> Reset() override;
  void Quit() override;

  MachineInfo machine{
      .name = "guest", .boot_cpus = 2, .max_cpus = 4, .sockets = 1, .cores = 4, .threads = 1};
  RunState state = RunState::kRunning;
  std::vector<VcpuStatus> cpus;
  std::vector<OperationStatus> begun;
  Metrics counters;
  std::vector<std::string> calls;
  std::optional<Error> error;          // of the next call that can fail
  std::optional<std::string> failure;  // of every operation from now on: it ends at once
  std::function<void()> stop_done;
  std::function<void()> on_quit;
  std::function<void(const OperationStatus&)> on_begin;

 private:
  Result<OperationStatus> Begin(OperationKind kind, CpuId cpu, Deadline deadline);
  Result<void> Plain(std::string name);
};

}  // namespace tidevm::control
