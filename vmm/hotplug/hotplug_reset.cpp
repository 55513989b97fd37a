// What a guest reset does to vCPUs and to what is pending.
#include <spdlog/spdlog.h>

#include <utility>

#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

using vcpu::VcpuState;

void HotplugController::BeginReset() {
  resetting_ = true;
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    const Slot& slot = slots_[cpu];
    if (slot.vcpu != nullptr && slot.vcpu->has_thread() &&
        slot.vcpu->state() != VcpuState::kEjecting) {
      BeginEject(cpu);
    }
  }
}

bool HotplugController::all_stopped() const { return thread_count() == 0; }

Result<CpuSet> HotplugController::FinishReset() {
  HandleIntents();  // what the old guest still said must not be taken for the new one's words
  resetting_ = false;
  guest_arms_ = false;
  CpuSet present;
  CpuSet inserting;
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    Slot& slot = slots_[cpu];
    slot.registered = std::nullopt;
    slot.last_ost = std::nullopt;
    slot.armed = false;
    const bool came_to_nothing =
        !slot.wanted && slot.current == nullptr && (plugged(cpu) || !slot.device_id.empty());
    if (slot.current == nullptr && slot.queued != nullptr) {
      // It waited for the thread of an add that was taken back, and which is gone now.
      slot.current = std::exchange(slot.queued, nullptr);
      Rename(cpu, slot.current->device_id);
    } else if (slot.current != nullptr && slot.current->kind == OperationKind::kRemove) {
      Unplugged(cpu);
      log_.Reach(*slot.current, Phase::kJoined);
      log_.Complete(*std::exchange(slot.current, nullptr), Phase::kParked);
      slot.current = std::exchange(slot.queued, nullptr);
      if (slot.current != nullptr) {
        Rename(cpu, slot.current->device_id);
      }
    } else if (slot.queued != nullptr) {  // a removal behind an add: neither is needed now
      Unplugged(cpu);
      log_.End(*std::exchange(slot.current, nullptr), Outcome::kCancelled, "the guest was reset");
      log_.End(*std::exchange(slot.queued, nullptr), Outcome::kDone);
    } else if (came_to_nothing) {
      Unplugged(cpu);
    }
    if (!slot.wanted) {
      continue;
    }
    auto back = slot.vcpu->Revive();
    if (cpu == 0) {
      if (!back) {
        return tl::make_unexpected(std::move(back.error()));
      }
    } else {
      back = std::move(back).and_then([&slot] { return slot.vcpu->Start(); });
      if (!back) {
        LeaveOut(cpu, std::move(back.error().message));
        continue;
      }
      NoteState(cpu);
    }
    slot.relied_on = slot.current == nullptr;
    (slot.current != nullptr ? inserting : present).Insert(cpu);
  }
  registers_.Reset(present, inserting);
  for (const CpuId cpu : inserting) {
    log_.Reach(*slots_[cpu].current, Phase::kNotified);
  }
  return present;
}

/// The new guest starts without it. The next add tries again.
void HotplugController::LeaveOut(CpuId cpu, std::string reason) {
  Slot& slot = slots_[cpu];
  slot.wanted = false;
  NoteState(cpu);
  if (slot.current != nullptr) {
    log_.End(*std::exchange(slot.current, nullptr), Outcome::kFailed, std::move(reason));
  } else {
    spdlog::error("vCPU {}: {}; the guest starts again without it", cpu, reason);
  }
  Unplugged(cpu);
}

}  // namespace tidevm::hotplug
