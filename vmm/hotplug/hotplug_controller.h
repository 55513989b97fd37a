// The host's side of hotplug: which vCPUs are wanted, and the operations that lead there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "tidevm/vcpu_request.h"
#include "vmm/hotplug/cpu_register_block.h"
#include "vmm/hotplug/intent_queue.h"
#include "vmm/hotplug/operation.h"
#include "vmm/hotplug/operation_log.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/vcpu/vcpu_observer.h"

namespace tidevm::hotplug {

/// What the controller tells the machine. Machine thread; must not call back into the controller,
/// but for next_deadline().
class HotplugListener {
 public:
  HotplugListener() = default;
  HotplugListener(const HotplugListener&) = delete;
  HotplugListener& operator=(const HotplugListener&) = delete;
  virtual ~HotplugListener() = default;

  virtual void OnOperation(const Operation& operation) = 0;  // a phase, or the end
  /// The state changed, or what is known of the guest's use of it. `online` as in CpuView.
  virtual void OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) = 0;
  virtual void OnOst(CpuId cpu, const std::string& device_id, OstReport report) = 0;
  virtual void OnUnplugged(CpuId cpu, const std::string& device_id) = 0;
  virtual void OnUnplugRefused(CpuId cpu, const std::string& device_id) = 0;
};

/// Makes the vCPUs; the machine knows KVM, CPUID and the buses.
using VcpuFactory = std::function<Result<std::unique_ptr<vcpu::Vcpu>>(CpuId)>;

/// What is known of one CPU, for clients.
struct CpuView {
  bool wanted = false;
  vcpu::VcpuState state = vcpu::VcpuState::kAbsent;
  std::optional<pid_t> thread_id;
  std::chrono::nanoseconds cpu_time{};
  std::optional<CpuSet> affinity;
  CpuFlags flags;
  std::optional<bool> registered;  // nullopt: the guest never said
  std::optional<bool> online;      // nullopt: this guest says of no CPU whether it is online
  std::optional<OstReport> last_ost;
  std::string device_id;
};

/// Machine thread only. Creates, starts, ends, joins and parks vCPUs; never waits for one. At most
/// one operation of a CPU is under way, and at most one of the other kind waits behind it.
///
/// An add is done when the guest has registered the CPU and armed its paravirtual MSRs. A guest
/// that armed those of no CPU so far says nothing by not arming them: there the add is done when it
/// is registered. An operation that is not done by its deadline ends, and leaves the machine able
/// to take the next request.
///
/// The parts: hotplug_requests.cpp what clients ask for, hotplug_reports.cpp what guest and threads
/// report, hotplug_deadlines.cpp ends without success, hotplug_reset.cpp guest resets.
class HotplugController {
 public:
  using Clock = Operation::Clock;

  HotplugController(CpuRegisterBlock& registers, IntentQueue& intents, VcpuFactory factory,
                    HotplugListener& listener);

  /// Start-up: CPUs 0 .. count-1, created and present.
  Result<void> CreateBootCpus(std::uint32_t count);
  Result<void> SetBootEntry(const vcpu::LongModeEntry& entry);
  /// Starts every wanted vCPU that has no thread; CPU 0, which runs at once, after all others.
  Result<void> StartAll();

  /// Plugs `cpu`. kInvalidArgument: no such id. kBusy: it is plugged, or being plugged. A failure
  /// of KVM is not an error here but the outcome of the operation.
  Result<const Operation*> Add(CpuId cpu, std::string device_id, Deadline deadline = {});
  /// Asks the guest for `cpu`. kInvalidArgument: no such id, or CPU 0. kNotFound: not plugged.
  /// kBusy: it has been asked for already.
  Result<const Operation*> Remove(CpuId cpu, Deadline deadline = {});
  /// Starts all that leads to `wanted`; nothing where it is that already. CPU 0 must be in it.
  Result<std::vector<const Operation*>> SetWanted(const CpuSet& wanted, Deadline deadline = {});
  /// Takes a pending operation back. kNotFound: none has this id. kBusy: it has come too far.
  Result<const Operation*> Cancel(std::uint64_t id);
  /// kInvalidArgument: no such id, or no vCPU was ever made for it, or `host_cpus` are not ours.
  Result<void> SetAffinity(CpuId cpu, const CpuSet& host_cpus);

  /// When HandleDeadlines() is due; nullopt while nothing is pending, or all is paused.
  std::optional<Clock::time_point> next_deadline() const;
  void HandleDeadlines(Clock::time_point now);
  /// While the machine is paused the guest cannot answer, and deadlines stand still.
  void PauseDeadlines(Clock::time_point now = Clock::now());
  void ResumeDeadlines(Clock::time_point now = Clock::now());

  /// The intent queue's eventfd became readable.
  void HandleIntents();
  void HandleThreadStarted(CpuId cpu, Clock::time_point when = Clock::now());
  /// The vCPU left its wait for INIT and SIPI.
  void HandleBooting(CpuId cpu, Clock::time_point when = Clock::now());
  /// The guest armed, or disarmed, the vCPU's paravirtual MSRs.
  void HandleOnline(CpuId cpu, bool online, Clock::time_point when = Clock::now());
  /// False: it broke, and the guest relies on it, so the guest cannot go on. Any other that breaks
  /// is failed by itself: an add of it fails, and it can be removed.
  bool HandleThreadEnded(CpuId cpu, const vcpu::ThreadEnd& end);
  /// The guest may run on it: it was there when the guest started, or has been online since it was
  /// added. (Disarmed MSRs do not end that: a CPU that goes down runs on for a while.)
  bool guest_relies_on(CpuId cpu) const { return slots_[cpu].relied_on; }

  /// Guest reset, first half: ends every thread. Requests are refused until FinishReset.
  void BeginReset();
  /// True when no vCPU has a thread.
  bool all_stopped() const;
  /// Guest reset, second half, with all threads gone: pending removals are complete; every other
  /// wanted CPU is made new, and its thread started, but for CPU 0's, which StartAll() starts: no
  /// other executes anything before CPU 0 wakes it. The CPUs whose add is still pending stay so,
  /// and their events wait for the new guest. One that the host cannot bring back is left out.
  /// Returns the set that is present from the start; an error means CPU 0.
  Result<CpuSet> FinishReset();

  CpuSet wanted() const;
  CpuView View(CpuId cpu) const;
  const std::list<Operation>& operations() const { return log_.all(); }
  const OperationMetrics& metrics() const { return log_.metrics(); }
  /// Null where none was made so far.
  const vcpu::Vcpu* vcpu(CpuId cpu) const { return slots_[cpu].vcpu.get(); }
  std::uint32_t max() const { return static_cast<std::uint32_t>(slots_.size()); }
  /// How many threads there are, and how many of them wait at the gate.
  std::uint32_t thread_count() const;
  std::uint32_t held_count() const;
  /// Kicks all threads, after the gate was closed.
  void KickAll();

 private:
  struct Slot {
    std::unique_ptr<vcpu::Vcpu> vcpu;
    bool wanted = false;
    bool thread_ended = false;     // and not joined yet
    bool armed = false;            // paravirtual MSRs
    bool relied_on = false;        // guest_relies_on()
    Operation* current = nullptr;  // under way
    Operation* queued = nullptr;   // of the other kind, or behind a thread that ends
    std::optional<bool> registered;
    std::optional<OstReport> last_ost;
    std::string device_id;
  };

  // Requests.
  Result<void> CheckRequest(CpuId cpu) const;
  bool plugged(CpuId cpu) const;
  bool ejecting(CpuId cpu) const;
  void StartAdd(CpuId cpu, Operation& operation);
  Result<void> MakeRunning(CpuId cpu, Operation& operation);
  void Rename(CpuId cpu, std::string device_id);
  void StartRemove(CpuId cpu, Operation& operation);
  void StartQueued(CpuId cpu);

  // Reports.
  void HandleOst(const Intent& intent);
  void HandleAddOst(CpuId cpu, OstReport report, Clock::time_point when);
  void HandleRemoveOst(CpuId cpu, OstReport report, Clock::time_point when);
  bool HandleBroken(CpuId cpu, const std::string& description);
  void BeginEject(CpuId cpu);
  void FinishEject(CpuId cpu);
  void Unplugged(CpuId cpu);
  void LeaveOut(CpuId cpu, std::string reason);
  std::optional<bool> online(const Slot& slot) const;
  void NoteState(CpuId cpu);

  // Ends.
  void CompleteCurrent(CpuId cpu, Phase last, Clock::time_point when = Clock::now());
  void EndCurrent(CpuId cpu, Outcome outcome, std::string reason);
  bool TakeBackAdd(CpuId cpu, Outcome outcome, const std::string& reason);
  bool TakeBackRemove(CpuId cpu, Outcome outcome, const std::string& reason);
  void EndRemove(CpuId cpu, Outcome outcome, const std::string& reason);
  void DropQueued(CpuId cpu, Outcome outcome, std::string reason);
  std::string NeverNoticed(CpuId cpu) const;
  void TimeOutAdd(CpuId cpu);
  void TimeOutRemove(CpuId cpu);

  CpuRegisterBlock& registers_;
  IntentQueue& intents_;
  VcpuFactory factory_;
  HotplugListener& listener_;
  OperationLog log_;
  std::vector<Slot> slots_;  // by CPU id
  bool resetting_ = false;
  bool guest_arms_ = false;  // the guest armed the paravirtual MSRs of some CPU since its start
  std::optional<Clock::time_point> paused_since_;
};

}  // namespace tidevm::hotplug
