#include "vmm/hotplug/hotplug_controller.h"

#include <algorithm>
#include <utility>

namespace tidevm::hotplug {

using vcpu::VcpuState;

namespace {

/// More than one SetWanted() can begin beside all that may be pending, so that what it returns is
/// still there.
std::size_t RememberedOperations(std::size_t cpus) { return std::max<std::size_t>(512, 4 * cpus); }

}  // namespace

HotplugController::HotplugController(CpuRegisterBlock& registers, IntentQueue& intents,
                                     VcpuFactory factory, HotplugListener& listener)
    : registers_(registers),
      intents_(intents),
      factory_(std::move(factory)),
      listener_(listener),
      log_(RememberedOperations(registers.cpu_count()),
           [this](const Operation& operation) { listener_.OnOperation(operation); }),
      slots_(registers.cpu_count()) {}

Result<void> HotplugController::CreateBootCpus(std::uint32_t count) {
  for (CpuId cpu = 0; cpu < count; ++cpu) {
    auto made = factory_(cpu);
    if (!made) {
      return tl::make_unexpected(std::move(made.error()));
    }
    slots_[cpu].vcpu = std::move(*made);
    slots_[cpu].wanted = true;
    slots_[cpu].relied_on = true;
  }
  registers_.Reset(CpuSet::FirstN(count), {});
  return {};
}

Result<void> HotplugController::SetBootEntry(const vcpu::LongModeEntry& entry) {
  return slots_[0].vcpu->SetEntry(entry);
}

Result<void> HotplugController::StartAll() {
  for (CpuId i = 1; i <= max(); ++i) {
    const CpuId cpu = i % max();
    const Slot& slot = slots_[cpu];
    if (!slot.wanted || slot.vcpu->state() != VcpuState::kCreated) {
      continue;
    }
    if (auto started = slot.vcpu->Start(); !started) {
      return started;
    }
    NoteState(cpu);
  }
  return {};
}

Result<void> HotplugController::SetAffinity(CpuId cpu, const CpuSet& host_cpus) {
  if (auto checked = CheckRequest(cpu); !checked) {
    return checked;
  }
  if (slots_[cpu].vcpu == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "vCPU {} was never plugged; plug it first", cpu);
  }
  return slots_[cpu].vcpu->SetAffinity(host_cpus);
}

CpuSet HotplugController::wanted() const {
  CpuSet set;
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    if (slots_[cpu].wanted) {
      set.Insert(cpu);
    }
  }
  return set;
}

CpuView HotplugController::View(CpuId cpu) const {
  const Slot& slot = slots_[cpu];
  CpuView view;
  view.wanted = slot.wanted;
  view.flags = registers_.flags(cpu);
  view.registered = slot.registered;
  view.online = online(slot);
  view.last_ost = slot.last_ost;
  view.device_id = slot.device_id;
  if (slot.vcpu != nullptr) {
    view.state = slot.vcpu->state();
    view.thread_id = slot.vcpu->thread_id();
    view.cpu_time = slot.vcpu->cpu_time();
    view.affinity = slot.vcpu->affinity();
  }
  return view;
}

/// What is proved: a vCPU that does not run is not online, whatever the guest left armed.
std::optional<bool> HotplugController::online(const Slot& slot) const {
  if (slot.vcpu == nullptr || !slot.vcpu->has_thread() || slot.thread_ended) {
    return false;
  }
  return guest_arms_ ? std::optional(slot.armed) : std::nullopt;
}

std::uint32_t HotplugController::thread_count() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      slots_, [](const Slot& slot) { return slot.vcpu != nullptr && slot.vcpu->has_thread(); }));
}

std::uint32_t HotplugController::held_count() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(slots_, [](const Slot& slot) {
    return slot.vcpu != nullptr && slot.vcpu->has_thread() &&
           (slot.vcpu->held() || slot.thread_ended);
  }));
}

void HotplugController::KickAll() {
  for (const Slot& slot : slots_) {
    if (slot.vcpu != nullptr) {
      slot.vcpu->Kick();
    }
  }
}

void HotplugController::NoteState(CpuId cpu) {
  const Slot& slot = slots_[cpu];
  listener_.OnVcpuState(cpu, slot.vcpu->state(), online(slot));
}

}  // namespace tidevm::hotplug
