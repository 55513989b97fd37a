// What the guest and the vCPU threads report to the controller.
#include <spdlog/spdlog.h>

#include <utility>

#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

using vcpu::VcpuState;

void HotplugController::HandleIntents() {
  for (const Intent& intent : intents_.Take()) {
    Operation* const current = slots_[intent.cpu].current;
    const auto acknowledge = [&](OperationKind kind) {
      if (current != nullptr && current->kind == kind && current->CanBeAnsweredAt(intent.when)) {
        log_.Reach(*current, Phase::kAcknowledged, intent.when);
      }
    };
    switch (intent.kind) {
      case IntentKind::kInsertAcknowledged:
        acknowledge(OperationKind::kAdd);
        break;
      case IntentKind::kRemoveAcknowledged:
        acknowledge(OperationKind::kRemove);
        break;
      case IntentKind::kEjected:
        // During a reset the thread is on its way out already, and the reset ends the operation.
        if (current != nullptr && !resetting_) {
          log_.Reach(*current, Phase::kEjected, intent.when);
          BeginEject(intent.cpu);
        }
        break;
      case IntentKind::kOst:
        HandleOst(intent);
        break;
    }
  }
}

void HotplugController::HandleOst(const Intent& intent) {
  const CpuId cpu = intent.cpu;
  const OstReport report{.event = intent.ost_event, .status = intent.ost_status};
  Slot& slot = slots_[cpu];
  slot.last_ost = report;
  listener_.OnOst(cpu, slot.device_id, report);
  if (resetting_) {
    return;
  }
  if (report.event == kOstEventDeviceCheck && registers_.flags(cpu).present) {
    slot.registered = report.status == kOstStatusSuccess;
    // A guest that does not say what is online may have it online from here on.
    slot.relied_on = slot.relied_on || (*slot.registered && !guest_arms_);
  }
  if (slot.current == nullptr || !slot.current->acknowledged()) {
    return;
  }
  if (slot.current->kind == OperationKind::kAdd) {
    HandleAddOst(cpu, report, intent.when);
  } else {
    HandleRemoveOst(cpu, report, intent.when);
  }
}

void HotplugController::HandleAddOst(CpuId cpu, OstReport report, Clock::time_point when) {
  if (report.event != kOstEventDeviceCheck) {
    return;
  }
  Slot& slot = slots_[cpu];
  Operation& operation = *slot.current;
  if (report.status != kOstStatusSuccess) {
    slot.wanted = false;
    EndCurrent(cpu, Outcome::kRefused, DescribeOst(report.event, report.status));
  } else if (slot.armed || !guest_arms_) {
    CompleteCurrent(cpu, Phase::kRegistered, when);
  } else if (!operation.HasReachedSinceNotified(Phase::kRegistered)) {
    log_.Reach(operation, Phase::kRegistered, when);
    if (slot.queued != nullptr) {
      EndCurrent(cpu, Outcome::kCancelled,
                 fmt::format("overtaken by operation {}: registered, not online", slot.queued->id));
    }
  }
}

void HotplugController::HandleRemoveOst(CpuId cpu, OstReport report, Clock::time_point when) {
  Slot& slot = slots_[cpu];
  if (report.event != kOstEventEjectRequest || ejecting(cpu)) {
    return;
  }
  if (report.status == kOstStatusEjectInProgress) {
    if (!slot.current->HasReachedSinceNotified(Phase::kOstInProgress)) {
      log_.Reach(*slot.current, Phase::kOstInProgress, when);
    }
  } else if (report.status != kOstStatusSuccess) {  // success: ejected, and that intent came first
    const std::string device_id = slot.device_id;
    if (TakeBackRemove(cpu, Outcome::kRefused, DescribeOst(report.event, report.status))) {
      listener_.OnUnplugRefused(cpu, device_id);
    }
  }
}

void HotplugController::HandleThreadStarted(CpuId cpu, Clock::time_point when) {
  Operation* const current = slots_[cpu].current;
  if (current != nullptr && current->kind == OperationKind::kAdd) {
    log_.Reach(*current, Phase::kStarted, when);
  }
}

void HotplugController::HandleBooting(CpuId cpu, Clock::time_point when) {
  Operation* const current = slots_[cpu].current;
  if (current != nullptr && current->kind == OperationKind::kAdd) {
    log_.Reach(*current, Phase::kBooting, when);
  }
}

// A guest can arm and disarm as often as it likes: each phase is noted once.
void HotplugController::HandleOnline(CpuId cpu, bool online, Clock::time_point when) {
  if (resetting_) {
    return;
  }
  Slot& slot = slots_[cpu];
  guest_arms_ = guest_arms_ || online;
  slot.armed = online;
  slot.relied_on = slot.relied_on || online;
  NoteState(cpu);
  if (slot.current == nullptr) {
    return;
  }
  Operation& operation = *slot.current;
  const bool is_add = operation.kind == OperationKind::kAdd;
  if (is_add && online) {
    if (operation.HasReachedSinceNotified(Phase::kRegistered)) {
      CompleteCurrent(cpu, Phase::kOnline, when);
    } else if (!operation.HasReachedSinceNotified(Phase::kOnline)) {
      log_.Reach(operation, Phase::kOnline, when);
    }
  } else if (!is_add && !online && !operation.HasReachedSinceNotified(Phase::kGoingDown)) {
    log_.Reach(operation, Phase::kGoingDown, when);
  }
}

bool HotplugController::HandleThreadEnded(CpuId cpu, const vcpu::ThreadEnd& end) {
  Slot& slot = slots_[cpu];
  slot.thread_ended = true;
  if (slot.vcpu->state() == VcpuState::kEjecting) {
    FinishEject(cpu);
    return true;
  }
  return end.kind != vcpu::ThreadEnd::Kind::kBroken || HandleBroken(cpu, end.description);
}

bool HotplugController::HandleBroken(CpuId cpu, const std::string& description) {
  Slot& slot = slots_[cpu];
  static_cast<void>(slot.vcpu->NoteFailed());
  NoteState(cpu);
  if (slot.relied_on) {
    return false;
  }
  const bool adding = slot.current != nullptr && slot.current->kind == OperationKind::kAdd;
  if (slot.current == nullptr) {
    slot.wanted = false;
  } else if (adding && !TakeBackAdd(cpu, Outcome::kFailed, description)) {
    slot.wanted = false;
    EndCurrent(cpu, Outcome::kFailed, description + "; remove the vCPU before it is added again");
  }
  return true;
}

void HotplugController::BeginEject(CpuId cpu) {
  Slot& slot = slots_[cpu];
  if (auto begun = slot.vcpu->BeginEject(); !begun) {
    spdlog::error("{}", begun.error().message);
    return;
  }
  if (slot.current != nullptr && slot.current->kind == OperationKind::kRemove) {
    OperationLog::DropDeadline(*slot.current);
  }
  NoteState(cpu);
  if (slot.thread_ended) {  // by itself, before anybody asked
    FinishEject(cpu);
  }
}

void HotplugController::FinishEject(CpuId cpu) {
  Slot& slot = slots_[cpu];
  if (auto joined = slot.vcpu->JoinAndPark(); !joined) {
    spdlog::error("{}", joined.error().message);
    return;
  }
  slot.thread_ended = false;
  slot.armed = false;
  NoteState(cpu);
  if (resetting_) {
    return;
  }
  slot.registered = std::nullopt;
  Unplugged(cpu);
  if (slot.current == nullptr) {
    StartQueued(cpu);
    return;
  }
  log_.Reach(*slot.current, Phase::kJoined);
  CompleteCurrent(cpu, Phase::kParked);
}

void HotplugController::Unplugged(CpuId cpu) {
  const std::string device_id = std::exchange(slots_[cpu].device_id, {});
  listener_.OnUnplugged(cpu, device_id);
}

}  // namespace tidevm::hotplug
