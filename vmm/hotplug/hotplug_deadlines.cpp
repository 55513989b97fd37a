// How operations end: done, taken back, or out of time.
#include <utility>

#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

using vcpu::VcpuState;

std::optional<HotplugController::Clock::time_point> HotplugController::next_deadline() const {
  return paused_since_ ? std::nullopt : log_.next_deadline();
}

void HotplugController::PauseDeadlines(Clock::time_point now) {
  if (!paused_since_) {
    paused_since_ = now;
  }
}

void HotplugController::ResumeDeadlines(Clock::time_point now) {
  if (paused_since_) {
    log_.PushDeadlinesBack(now - *paused_since_);
    paused_since_ = std::nullopt;
  }
}

void HotplugController::HandleDeadlines(Clock::time_point now) {
  if (paused_since_ || resetting_) {
    return;
  }
  HandleIntents();  // what the guest has done in time
  for (const Operation* const operation : log_.Overdue(now)) {
    const CpuId cpu = operation->cpu;
    if (!operation->pending()) {
      continue;  // by the end of another of these
    }
    if (slots_[cpu].queued == operation) {
      DropQueued(cpu, Outcome::kTimedOut, "what was under way before it did not end");
    } else if (operation->kind == OperationKind::kAdd) {
      TimeOutAdd(cpu);
    } else {
      TimeOutRemove(cpu);
    }
  }
}

std::string HotplugController::NeverNoticed(CpuId cpu) const {
  if (registers_.eject_unverified(cpu)) {
    return "the guest ejected the vCPU before, and never looked whether it is gone (_STA); until "
           "it "
           "does, it is not told of a new one";
  }
  const std::string what = "the guest never took notice: ";
  const std::optional<bool> has_handler = registers_.guest_has_handler();
  if (!has_handler) {
    return what + "it has no ACPI CPU hotplug, or has not booted that far";
  }
  return what +
         (*has_handler
              ? "it has a driver for ACPI CPU hotplug, which did not run; it hangs, or is too "
                "busy"
              : "it has set up no handler for the hotplug interrupt; it lacks ACPI CPU "
                "hotplug, or I/O APICs (nosmp, noapic), or has not booted that far");
}

void HotplugController::TimeOutAdd(CpuId cpu) {
  Slot& slot = slots_[cpu];
  const Operation& operation = *slot.current;
  if (operation.HasReachedSinceNotified(Phase::kRegistered)) {
    EndCurrent(cpu, Outcome::kTimedOut,
               "registered, not online: nothing in the guest has put it online");
    return;
  }
  if (slot.armed && operation.acknowledged()) {  // it runs; _OST could only have said so too
    EndCurrent(cpu, Outcome::kDone, {});
    return;
  }
  if (TakeBackAdd(cpu, Outcome::kTimedOut, NeverNoticed(cpu))) {
    return;
  }
  slot.wanted = false;
  EndCurrent(cpu, Outcome::kTimedOut,
             operation.acknowledged()
                 ? "the guest took notice, and never said whether it registered the vCPU (_OST)"
                 : "the guest began to take notice, and did not go on");
}

void HotplugController::TimeOutRemove(CpuId cpu) {
  Operation& operation = *slots_[cpu].current;
  std::string reason = NeverNoticed(cpu);
  if (operation.HasReachedSinceNotified(Phase::kGoingDown)) {
    reason = "the guest put it offline, and did not eject it";
  } else if (operation.HasReachedSinceNotified(Phase::kOstInProgress)) {
    reason = "the guest began, and did not finish";
  } else if (operation.acknowledged()) {
    reason = "the guest took notice, and did not give it up";
  }
  if (!TakeBackRemove(cpu, Outcome::kTimedOut, reason)) {
    OperationLog::DropDeadline(operation);  // ejected this moment: only the host's part is left
  }
}

/// True where the guest has not seen the event yet: then it is as if nobody had asked, once the
/// thread has ended.
bool HotplugController::TakeBackAdd(CpuId cpu, Outcome outcome, const std::string& reason) {
  if (!registers_.RetractInsert(cpu)) {
    return false;
  }
  Slot& slot = slots_[cpu];
  slot.wanted = false;
  log_.End(*std::exchange(slot.current, nullptr), outcome, reason);
  if (registers_.flags(cpu).present) {  // from an earlier add, which came to nothing
    StartQueued(cpu);
  } else {
    BeginEject(cpu);  // what is queued starts when the thread has ended
  }
  return true;
}

/// True where the guest has not ejected it yet. An ejection from now on is ignored.
bool HotplugController::TakeBackRemove(CpuId cpu, Outcome outcome, const std::string& reason) {
  if (!registers_.RevokeEject(cpu)) {
    return false;
  }
  EndRemove(cpu, outcome, reason);
  return true;
}

/// The vCPU stays: plugged, if the guest had it; as it was, if an add before had come to nothing;
/// not wanted any more where it has failed, so that it can be asked for again.
void HotplugController::EndRemove(CpuId cpu, Outcome outcome, const std::string& reason) {
  Slot& slot = slots_[cpu];
  static_cast<void>(slot.vcpu->NoteUnplugRefused());
  NoteState(cpu);
  const bool has_it = registers_.flags(cpu).present && slot.vcpu->state() != VcpuState::kFailed;
  slot.wanted = slot.queued != nullptr || has_it;
  EndCurrent(cpu, outcome, reason);
}

void HotplugController::DropQueued(CpuId cpu, Outcome outcome, std::string reason) {
  Slot& slot = slots_[cpu];
  Operation& operation = *std::exchange(slot.queued, nullptr);
  slot.wanted = operation.kind == OperationKind::kRemove;
  log_.End(operation, outcome, std::move(reason));
}

void HotplugController::EndCurrent(CpuId cpu, Outcome outcome, std::string reason) {
  log_.End(*std::exchange(slots_[cpu].current, nullptr), outcome, std::move(reason));
  StartQueued(cpu);
}

void HotplugController::CompleteCurrent(CpuId cpu, Phase last, Clock::time_point when) {
  log_.Complete(*std::exchange(slots_[cpu].current, nullptr), last, when);
  StartQueued(cpu);
}

}  // namespace tidevm::hotplug
