// What a guest reset does to vCPUs and to what is pending.
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
    if (auto revived = slot.vcpu->Revive(); !revived) {
      return tl::make_unexpected(std::move(revived.error()));
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

}  // namespace tidevm::hotplug
