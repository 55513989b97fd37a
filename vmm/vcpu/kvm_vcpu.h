// A vCPU of KVM with its host thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/devices/bus.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/vcpu/paravirt_msrs.h"
#include "vmm/vcpu/pristine_state.h"
#include "vmm/vcpu/run_gate.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/vcpu/vcpu_observer.h"

namespace tidevm::vcpu {

/// What all vCPUs of a machine share. Outlives them.
struct VcpuEnvironment {
  const devices::Bus& ports;
  const devices::Bus& memory;
  RunGate& gate;
  VcpuObserver& observer;
  /// Called by each new thread, with its name, before the vCPU runs: takes from it what it does not
  /// need. Where that fails, the thread ends as broken.
  std::function<Result<void>(std::string_view thread)> confine;
};

/// What KVM needs to know of one vCPU.
struct VcpuSetup {
  CpuId cpu = 0;
  ApicId apic_id = 0;
  std::vector<kvm_cpuid_entry2> cpuid;
  std::span<const std::uint32_t> msrs;  // PristineMsrs(); outlives the creation only
};

/// Machine thread only, but for what runs inside its own thread.
class KvmVcpu final : public Vcpu {
 public:
  /// Can be called again for a vCPU that it failed for.
  static Result<std::unique_ptr<KvmVcpu>> Create(kvm::Vm& vm, const VcpuSetup& setup,
                                                 const VcpuEnvironment& environment);
  /// Stops and joins a thread that still runs.
  ~KvmVcpu() override;

  std::optional<pid_t> thread_id() const override;
  std::chrono::nanoseconds cpu_time() const override;
  std::chrono::nanoseconds total_cpu_time() const override { return ended_cpu_time_ + cpu_time(); }
  std::optional<CpuSet> affinity() const override;
  std::vector<std::uint64_t> exit_counts() const override;
  Result<void> SetAffinity(const CpuSet& host_cpus) override;
  bool held() const override { return held_.load(); }
  bool has_thread() const override { return thread_.joinable(); }
  void Kick() override;

 private:
  KvmVcpu(kvm::Vcpu vcpu, PristineState pristine, const VcpuSetup& setup,
          const VcpuEnvironment& environment);

  Result<void> DoSetEntry(const LongModeEntry& entry) override;
  Result<void> DoStart() override;
  void DoRequestStop() override;
  void DoJoin() override;
  Result<void> DoRevive() override;

  // On the vCPU's thread.
  void ThreadMain();
  ThreadEnd RunLoop();
  std::optional<ThreadEnd> Handle(const kvm::Exit& exit);
  void HandleIo(const kvm::ExitIo& io);
  void HandleMsrWrite(const kvm::ExitMsrWrite& write);
  void NoteBooting();
  void WaitAtGate();
  void CompleteLastExit();

  const VcpuEnvironment environment_;
  PristineState pristine_;
  std::optional<CpuSet> wanted_affinity_;      // nullopt: the process's
  std::chrono::nanoseconds ended_cpu_time_{};  // of the threads before this one
  std::thread thread_;
  // The thread's while there is one, the machine thread's otherwise; but for immediate_exit.
  kvm::Vcpu vcpu_;

  // The thread's, while there is one.
  ParavirtMsrs paravirt_;
  bool booting_noted_ = false;

  // Written by one side, read by the other, each a fact of its own: no lock would add anything.
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> held_{false};
  std::atomic<pid_t> thread_id_{0};
  std::atomic<std::chrono::nanoseconds> last_cpu_time_{};  // of a thread, when it ends
  std::array<std::atomic<std::uint64_t>, kvm::kExitNames.size()> exits_{};
};

}  // namespace tidevm::vcpu
