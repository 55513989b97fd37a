// The life of one vCPU, with what makes it run left open.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/vcpu/long_mode_entry.h"
#include "vmm/vcpu/vcpu_state.h"

namespace tidevm::vcpu {

/// A vCPU from creation to the end of the process: created, running, parked, created again. Machine
/// thread only. Every call checks the state machine; one that makes no sense in the present state
/// is a kBusy error and changes nothing. KvmVcpu is the real one.
class Vcpu {
 public:
  Vcpu(CpuId cpu, ApicId apic_id) : cpu_(cpu), apic_id_(apic_id) {}
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;
  virtual ~Vcpu() = default;

  CpuId cpu() const { return cpu_; }
  ApicId apic_id() const { return apic_id_; }
  VcpuState state() const { return state_; }

  /// The host thread, while there is one, and its CPU time; of ended threads nothing is kept.
  virtual std::optional<pid_t> thread_id() const = 0;
  virtual std::chrono::nanoseconds cpu_time() const = 0;
  virtual bool has_thread() const = 0;
  /// Whether the thread waits at the gate.
  virtual bool held() const = 0;
  /// The host CPUs that the thread may use, while there is one.
  virtual std::optional<CpuSet> affinity() const = 0;
  /// KVM_RUN's returns by kind, over all threads that this vCPU had; the order of kvm::kExitNames.
  virtual std::vector<std::uint64_t> exit_counts() const = 0;
  /// As cpu_time(), with the threads that have ended.
  virtual std::chrono::nanoseconds total_cpu_time() const = 0;
  /// For this thread and those to come. kInvalidArgument: none of them is a CPU that this process
  /// may use.
  virtual Result<void> SetAffinity(const CpuSet& host_cpus) = 0;
  /// Makes the thread look at the gate and at its orders. Any state.
  virtual void Kick() = 0;

  /// kCreated: the first vCPU's entry into the kernel. All others wait for INIT and SIPI.
  Result<void> SetEntry(const LongModeEntry& entry);
  /// kCreated: starts the thread.
  Result<void> Start();
  /// The guest has been asked to give it up; and: it will not. One that has failed stays so.
  Result<void> NoteUnplugRequested() { return Advance(VcpuEvent::kUnplugRequest); }
  Result<void> NoteUnplugRefused() { return Advance(VcpuEvent::kUnplugRefused); }
  /// The thread ended by itself, with ThreadEnd::Kind::kBroken.
  Result<void> NoteFailed() { return Advance(VcpuEvent::kFail); }
  /// Asks the thread to end; OnThreadEnded follows. Never waits.
  Result<void> BeginEject();
  /// kEjecting, after OnThreadEnded: joins and parks.
  Result<void> JoinAndPark();
  /// kParked: back to what it was at creation.
  Result<void> Revive();

 private:
  virtual Result<void> DoSetEntry(const LongModeEntry& entry) = 0;
  virtual Result<void> DoStart() = 0;
  virtual void DoRequestStop() = 0;
  virtual void DoJoin() = 0;
  virtual Result<void> DoRevive() = 0;

  Result<void> Advance(VcpuEvent event);

  const CpuId cpu_;
  const ApicId apic_id_;
  VcpuState state_ = VcpuState::kCreated;
};

}  // namespace tidevm::vcpu
