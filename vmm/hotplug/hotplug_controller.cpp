#include "vmm/hotplug/hotplug_controller.h"

#include <spdlog/spdlog.h>

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
  }
  registers_.Reset(CpuSet::FirstN(count), {});
  return {};
}

Result<void> HotplugController::SetBootEntry(const vcpu::LongModeEntry& entry) {
  return slots_[0].vcpu->SetEntry(entry);
}

Result<void> HotplugController::StartAll() {
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    Slot& slot = slots_[cpu];
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

Result<const Operation*> HotplugController::Add(CpuId cpu, std::string device_id) {
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
    Rename(cpu, std::move(device_id));
    return slot.current;
  }
  Operation& operation = log_.Begin(OperationKind::kAdd, cpu, std::move(device_id));
  if (slot.current == nullptr) {
    StartAdd(cpu, operation);
    return &operation;
  }
  if (slot.vcpu->state() == VcpuState::kUnplugRequested && registers_.RetractRemove(cpu)) {
    static_cast<void>(slot.vcpu->NoteUnplugRefused());
    NoteState(cpu);
    log_.End(*std::exchange(slot.current, nullptr), Outcome::kCancelled,
             fmt::format("overtaken by operation {}, before the guest took notice", operation.id));
    Rename(cpu, operation.device_id);
    log_.End(operation, Outcome::kDone);
    return &operation;
  }
  slot.queued = &operation;
  return &operation;
}

Result<const Operation*> HotplugController::Remove(CpuId cpu) {
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
    return slot.current;
  }
  Operation& operation = log_.Begin(OperationKind::kRemove, cpu);
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
      slot.current = &operation;
      BeginEject(cpu);
    }
    return &operation;
  }
  slot.queued = &operation;
  return &operation;
}

Result<std::vector<const Operation*>> HotplugController::SetWanted(const CpuSet& wanted) {
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
      operation = Add(cpu, {});
    } else if (!wanted.Contains(cpu) && plugged(cpu) && !removal_pending) {
      operation = Remove(cpu);
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

void HotplugController::StartAdd(CpuId cpu, Operation& operation) {
  Slot& slot = slots_[cpu];
  slot.current = &operation;
  Rename(cpu, operation.device_id);
  if (auto running = MakeRunning(cpu, operation); !running) {
    slot.wanted = false;
    slot.device_id.clear();
    EndCurrent(cpu, Outcome::kFailed, std::move(running.error().message));
    return;
  }
  const auto before = Operation::Clock::now();  // the guest may answer at once
  registers_.RaiseInsert(cpu);
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
  if (slot.vcpu->state() != VcpuState::kCreated) {
    return {};
  }
  log_.Reach(operation, Phase::kCreated);
  if (auto started = slot.vcpu->Start(); !started) {
    return started;
  }
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
  const auto before = Operation::Clock::now();
  registers_.RaiseRemove(cpu);
  log_.Reach(operation, Phase::kNotified, before);
}

void HotplugController::EndCurrent(CpuId cpu, Outcome outcome, std::string reason) {
  log_.End(*std::exchange(slots_[cpu].current, nullptr), outcome, std::move(reason));
  StartQueued(cpu);
}

void HotplugController::CompleteCurrent(CpuId cpu, Phase last, Operation::Clock::time_point when) {
  log_.Complete(*std::exchange(slots_[cpu].current, nullptr), last, when);
  StartQueued(cpu);
}

void HotplugController::StartQueued(CpuId cpu) {
  Slot& slot = slots_[cpu];
  Operation* const next = std::exchange(slot.queued, nullptr);
  if (next == nullptr) {
    return;
  }
  const bool is_there = slot.vcpu != nullptr && slot.vcpu->has_thread();
  if (next->kind == OperationKind::kAdd) {
    if (is_there) {  // the removal before it came to nothing
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

void HotplugController::HandleIntents() {
  for (const Intent& intent : intents_.Take()) {
    Operation* const current = slots_[intent.cpu].current;
    switch (intent.kind) {
      case IntentKind::kInsertAcknowledged:
        if (current != nullptr && current->kind == OperationKind::kAdd) {
          log_.Reach(*current, Phase::kAcknowledged, intent.when);
        }
        break;
      case IntentKind::kRemoveAcknowledged:
        if (current != nullptr && current->kind == OperationKind::kRemove) {
          log_.Reach(*current, Phase::kAcknowledged, intent.when);
        }
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
  if (slot.current == nullptr || !slot.current->acknowledged() || resetting_) {
    return;
  }
  Operation& operation = *slot.current;
  const bool success = report.status == kOstStatusSuccess;
  if (operation.kind == OperationKind::kAdd && report.event == kOstEventDeviceCheck) {
    slot.registered = success;
    if (success) {
      CompleteCurrent(cpu, Phase::kRegistered, intent.when);
    } else {
      slot.wanted = slot.queued != nullptr ? slot.wanted : false;
      EndCurrent(cpu, Outcome::kRefused, DescribeOst(report.event, report.status));
    }
    return;
  }
  if (operation.kind == OperationKind::kRemove && report.event == kOstEventEjectRequest &&
      slot.vcpu->state() == VcpuState::kUnplugRequested) {
    if (report.status == kOstStatusEjectInProgress) {
      if (operation.reached.back().phase != Phase::kOstInProgress) {
        log_.Reach(operation, Phase::kOstInProgress, intent.when);
      }
    } else if (!success && registers_.RevokeEject(cpu)) {  // else: ejected, that intent follows
      static_cast<void>(slot.vcpu->NoteUnplugRefused());
      NoteState(cpu);
      slot.wanted = true;
      listener_.OnUnplugRefused(cpu, slot.device_id);
      EndCurrent(cpu, Outcome::kRefused, DescribeOst(report.event, report.status));
    }
  }
}

void HotplugController::BeginEject(CpuId cpu) {
  Slot& slot = slots_[cpu];
  if (auto begun = slot.vcpu->BeginEject(); !begun) {
    spdlog::error("{}", begun.error().message);
    return;
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
  NoteState(cpu);
  if (resetting_) {
    return;
  }
  slot.registered = std::nullopt;
  Unplugged(cpu);
  if (slot.current != nullptr) {
    log_.Reach(*slot.current, Phase::kJoined);
    CompleteCurrent(cpu, Phase::kParked);
  }
}

void HotplugController::Unplugged(CpuId cpu) {
  const std::string device_id = std::exchange(slots_[cpu].device_id, {});
  listener_.OnUnplugged(cpu, device_id);
}

void HotplugController::HandleThreadStarted(CpuId cpu, Operation::Clock::time_point when) {
  Operation* const current = slots_[cpu].current;
  if (current != nullptr && current->kind == OperationKind::kAdd) {
    log_.Reach(*current, Phase::kStarted, when);
  }
}

void HotplugController::HandleThreadEnded(CpuId cpu, const vcpu::ThreadEnd& end) {
  Slot& slot = slots_[cpu];
  slot.thread_ended = true;
  if (slot.vcpu->state() == VcpuState::kEjecting) {
    FinishEject(cpu);
  } else if (end.kind == vcpu::ThreadEnd::Kind::kBroken) {
    static_cast<void>(slot.vcpu->NoteFailed());
    NoteState(cpu);
  }
}

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
  CpuSet present;
  CpuSet inserting;
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    Slot& slot = slots_[cpu];
    slot.registered = std::nullopt;
    slot.last_ost = std::nullopt;
    const bool was_refused = !slot.wanted && slot.current == nullptr && plugged(cpu);
    if (slot.current != nullptr && slot.current->kind == OperationKind::kRemove) {
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
    } else if (was_refused) {
      Unplugged(cpu);
    }
    if (!slot.wanted) {
      continue;
    }
    if (auto revived = slot.vcpu->Revive(); !revived) {
      return tl::make_unexpected(std::move(revived.error()));
    }
    (slot.current != nullptr ? inserting : present).Insert(cpu);
  }
  registers_.Reset(present, inserting);
  for (const CpuId cpu : inserting) {
    log_.Reach(*slots_[cpu].current, Phase::kNotified);
  }
  return present;
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
  view.last_ost = slot.last_ost;
  view.device_id = slot.device_id;
  if (slot.vcpu != nullptr) {
    view.state = slot.vcpu->state();
    view.thread_id = slot.vcpu->thread_id();
    view.cpu_time = slot.vcpu->cpu_time();
  }
  return view;
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
  listener_.OnVcpuState(cpu, slots_[cpu].vcpu->state());
}

}  // namespace tidevm::hotplug
