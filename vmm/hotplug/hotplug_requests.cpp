// What clients ask of the controller.
#include <utility>

#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

using vcpu::VcpuState;

Result<void> HotplugController::CheckRequest(CpuId cpu) const {
  if (cpu >= max()) {
    return Fail(ErrorCode::kInvalidArgument,
                "no vCPU {}: ids go from 0 to {}; start the VM with a larger --cpus max", cpu,
                max() - 1);
  }
  if (resetting_) {
    return Fail(ErrorCode::kBusy, "the guest is being reset; try again in a moment");
  }
  return {};
}

bool HotplugController::plugged(CpuId cpu) const {
  const CpuFlags flags = registers_.flags(cpu);
  return slots_[cpu].wanted || flags.present || flags.insert_event;
}

bool HotplugController::ejecting(CpuId cpu) const {
  return slots_[cpu].vcpu != nullptr && slots_[cpu].vcpu->state() == VcpuState::kEjecting;
}

Result<const Operation*> HotplugController::Add(CpuId cpu, std::string device_id,
                                                Deadline deadline) {
  if (auto checked = CheckRequest(cpu); !checked) {
    return tl::make_unexpected(std::move(checked.error()));
  }
  Slot& slot = slots_[cpu];
  if (slot.wanted) {
    return Fail(ErrorCode::kBusy, "vCPU {} is plugged already", cpu);
  }
  slot.wanted = true;
  if (slot.queued != nullptr) {
    // An add is under way with a removal behind it: without the removal, all is as asked.
    log_.End(*std::exchange(slot.queued, nullptr), Outcome::kCancelled,
             "overtaken by a request to add");
    OperationLog::RenewDeadline(*slot.current, deadline);
    Rename(cpu, std::move(device_id));
    return slot.current;
  }
  Operation& operation = log_.Begin(OperationKind::kAdd, cpu, std::move(device_id), deadline);
  if (slot.current == nullptr && !ejecting(cpu)) {
    StartAdd(cpu, operation);
    return &operation;
  }
  // Queued even while the removal is taken back: its end is then what completes this one.
  slot.queued = &operation;
  if (slot.current != nullptr && slot.vcpu->state() == VcpuState::kUnplugRequested &&
      registers_.RetractRemove(cpu)) {
    EndRemove(cpu, Outcome::kCancelled,
              fmt::format("overtaken by operation {}, before the guest took notice", operation.id));
  }
  return &operation;
}

Result<const Operation*> HotplugController::Remove(CpuId cpu, Deadline deadline) {
  if (auto checked = CheckRequest(cpu); !checked) {
    return tl::make_unexpected(std::move(checked.error()));
  }
  if (cpu == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "vCPU 0 cannot be removed: it is the one that boots, and stays");
  }
  Slot& slot = slots_[cpu];
  if (!plugged(cpu)) {
    return Fail(ErrorCode::kNotFound, "vCPU {} is not plugged", cpu);
  }
  if (!slot.wanted && slot.current != nullptr) {
    return Fail(ErrorCode::kBusy, "the guest has been asked for vCPU {} already (operation {})",
                cpu, slot.queued != nullptr ? slot.queued->id : slot.current->id);
  }
  slot.wanted = false;
  if (slot.queued != nullptr) {
    log_.End(*std::exchange(slot.queued, nullptr), Outcome::kCancelled,
             "overtaken by a request to remove");
    if (slot.current != nullptr) {
      OperationLog::RenewDeadline(*slot.current, deadline);
      return slot.current;
    }
  }
  Operation& operation = log_.Begin(OperationKind::kRemove, cpu, {}, deadline);
  if (ejecting(cpu) && slot.current == nullptr) {  // after an add that was taken back
    OperationLog::DropDeadline(operation);
    slot.current = &operation;
    return &operation;
  }
  if (slot.current == nullptr) {
    StartRemove(cpu, operation);
    return &operation;
  }
  if (registers_.RetractInsert(cpu)) {
    log_.End(*slot.current, Outcome::kCancelled,
             fmt::format("overtaken by operation {}, before the guest took notice", operation.id));
    if (registers_.flags(cpu).present) {  // from an earlier add, which the guest refused
      StartRemove(cpu, operation);
    } else {
      OperationLog::DropDeadline(operation);
      slot.current = &operation;
      BeginEject(cpu);
    }
    return &operation;
  }
  if (slot.registered == true && slot.current->acknowledged()) {
    // Waits for nothing but the guest putting it online, which is not wanted any more.
    log_.End(*slot.current, Outcome::kCancelled,
             fmt::format("overtaken by operation {}: registered, not online", operation.id));
    StartRemove(cpu, operation);
    return &operation;
  }
  slot.queued = &operation;
  return &operation;
}

Result<std::vector<const Operation*>> HotplugController::SetWanted(const CpuSet& wanted,
                                                                   Deadline deadline) {
  if (!wanted.Contains(0)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the set \"{}\" lacks vCPU 0, which cannot be removed; add it to the set",
                wanted.ToString());
  }
  for (const CpuId cpu : wanted) {
    if (auto checked = CheckRequest(cpu); !checked) {
      return tl::make_unexpected(std::move(checked.error()));
    }
  }
  std::vector<const Operation*> started;
  for (CpuId cpu = 1; cpu < max(); ++cpu) {
    const Slot& slot = slots_[cpu];
    const bool removal_pending = !slot.wanted && slot.current != nullptr;
    Result<const Operation*> operation = nullptr;
    if (wanted.Contains(cpu) && !slot.wanted) {
      operation = Add(cpu, {}, deadline);
    } else if (!wanted.Contains(cpu) && plugged(cpu) && !removal_pending) {
      operation = Remove(cpu, deadline);
    }
    if (!operation) {
      return tl::make_unexpected(std::move(operation.error()));
    }
    if (*operation != nullptr) {
      started.push_back(*operation);
    }
  }
  return started;
}

Result<const Operation*> HotplugController::Cancel(std::uint64_t id) {
  Operation* const operation = log_.FindPending(id);
  if (operation == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "no operation {} is pending; query-vcpu-operations lists those that are", id);
  }
  const CpuId cpu = operation->cpu;
  if (auto checked = CheckRequest(cpu); !checked) {
    return tl::make_unexpected(std::move(checked.error()));
  }
  const std::string reason = "cancelled by a client";
  if (slots_[cpu].queued == operation) {
    DropQueued(cpu, Outcome::kCancelled, reason);
    return operation;
  }
  if (operation->kind == OperationKind::kAdd) {
    if (!TakeBackAdd(cpu, Outcome::kCancelled, reason)) {
      return Fail(
          ErrorCode::kBusy,
          "operation {}: the guest has taken notice of vCPU {} already; ask for its removal "
          "instead",
          id, cpu);
    }
    return operation;
  }
  const bool noticed = operation->acknowledged();
  if (ejecting(cpu) ||
      !TakeBackRemove(cpu, Outcome::kCancelled,
                      noticed ? reason + "; the guest had taken notice, and may have put the vCPU "
                                         "offline"
                              : reason)) {
    return Fail(ErrorCode::kBusy,
                "operation {}: the guest has given vCPU {} up already; it can be added again", id,
                cpu);
  }
  return operation;
}

void HotplugController::StartAdd(CpuId cpu, Operation& operation) {
  Slot& slot = slots_[cpu];
  slot.current = &operation;
  if (auto running = MakeRunning(cpu, operation); !running) {
    slot.wanted = false;
    EndCurrent(cpu, Outcome::kFailed, std::move(running.error().message));
    return;
  }
  Rename(cpu, operation.device_id);
  slot.registered = std::nullopt;
  const auto before = Clock::now();  // the guest may answer at once
  const auto raised = registers_.RaiseInsert(cpu);
  if (!raised && TakeBackAdd(cpu, Outcome::kFailed, raised.error().message)) {
    return;
  }
  log_.Reach(operation, Phase::kNotified, before);
}

/// The vCPU, made or made new, with a thread. It has one already where an earlier add was refused
/// by the guest: then only the notification is repeated.
Result<void> HotplugController::MakeRunning(CpuId cpu, Operation& operation) {
  Slot& slot = slots_[cpu];
  if (slot.vcpu == nullptr) {
    auto made = factory_(cpu);
    if (!made) {
      return tl::make_unexpected(std::move(made.error()));
    }
    slot.vcpu = std::move(*made);
  } else if (slot.vcpu->state() == VcpuState::kParked) {
    if (auto revived = slot.vcpu->Revive(); !revived) {
      return revived;
    }
  }
  if (slot.vcpu->state() == VcpuState::kFailed) {
    return Fail(ErrorCode::kBusy,
                "vCPU {} has failed, and the guest has not given it up; remove it first", cpu);
  }
  if (slot.vcpu->state() != VcpuState::kCreated) {
    return {};
  }
  log_.Reach(operation, Phase::kCreated);
  if (auto started = slot.vcpu->Start(); !started) {
    return started;
  }
  slot.relied_on = false;
  NoteState(cpu);
  return {};
}

/// The client's latest name for what is plugged; a request without one leaves the name alone.
void HotplugController::Rename(CpuId cpu, std::string device_id) {
  if (!device_id.empty()) {
    slots_[cpu].device_id = std::move(device_id);
  }
}

void HotplugController::StartRemove(CpuId cpu, Operation& operation) {
  Slot& slot = slots_[cpu];
  slot.current = &operation;
  if (auto noted = slot.vcpu->NoteUnplugRequested(); !noted) {
    slot.wanted = true;
    EndCurrent(cpu, Outcome::kFailed, std::move(noted.error().message));
    return;
  }
  NoteState(cpu);
  const auto before = Clock::now();
  const auto raised = registers_.RaiseRemove(cpu);
  if (!raised && TakeBackRemove(cpu, Outcome::kFailed, raised.error().message)) {
    return;
  }
  log_.Reach(operation, Phase::kNotified, before);
}

void HotplugController::StartQueued(CpuId cpu) {
  Slot& slot = slots_[cpu];
  Operation* const next = std::exchange(slot.queued, nullptr);
  if (next == nullptr) {
    return;
  }
  const bool is_there = slot.vcpu != nullptr && slot.vcpu->has_thread();
  if (next->kind == OperationKind::kAdd) {
    // The removal before it came to nothing; but what the guest has not acknowledged so far (an
    // earlier add that ran out of time) it does not have.
    if (is_there && registers_.flags(cpu).present && slot.vcpu->state() != VcpuState::kFailed) {
      Rename(cpu, next->device_id);
      log_.End(*next, Outcome::kDone);
    } else {
      StartAdd(cpu, *next);
    }
  } else if (is_there) {
    StartRemove(cpu, *next);
  } else {  // the add before it came to nothing
    log_.End(*next, Outcome::kDone);
  }
}

}  // namespace tidevm::hotplug
