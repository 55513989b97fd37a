#include "vmm/hotplug/cpu_register_block.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "tidevm/cpu_hotplug_registers.h"

namespace tidevm::hotplug {
namespace {

using namespace cpu_hotplug;

std::uint32_t LoadU32(std::span<const std::byte> data) {
  std::uint32_t value = 0;
  std::memcpy(&value, data.data(), sizeof value);
  return value;
}

void StoreU32(std::span<std::byte> data, std::uint32_t value) {
  std::memcpy(data.data(), &value, sizeof value);
}

}  // namespace

CpuRegisterBlock::CpuRegisterBlock(std::vector<ApicId> apic_ids, devices::InterruptLine& line,
                                   IntentQueue& intents)
    : apic_ids_(std::move(apic_ids)), line_(line), intents_(intents), cpus_(apic_ids_.size()) {}

void CpuRegisterBlock::Read(std::uint64_t offset, std::span<std::byte> data) {
  std::ranges::fill(data, std::byte{0});
  const std::lock_guard lock(mutex_);
  if (offset == kCommandData2Offset && data.size() == 4) {
    // The upper half of an APIC id, which on x86 is 0; 0 after every other command too.
  } else if (offset == kFlagsOffset && data.size() == 1) {
    data[0] = std::byte{ReadFlags()};
    UpdateLine();
  } else if (offset == kCommandDataOffset && data.size() == 4) {
    StoreU32(data, ReadCommandData());
  } else {
    CountBadAccess("read", offset, data.size());
  }
}

void CpuRegisterBlock::Write(std::uint64_t offset, std::span<const std::byte> data) {
  const std::lock_guard lock(mutex_);
  if (offset == kSelectorOffset && data.size() == 4) {
    selector_ = LoadU32(data);
    scanning_ = false;
  } else if (offset == kFlagsOffset && data.size() == 1) {
    WriteFlags(std::to_integer<std::uint8_t>(data[0]));
  } else if (offset == kCommandOffset && data.size() == 1) {
    WriteCommand(std::to_integer<std::uint8_t>(data[0]));
  } else if (offset == kCommandDataOffset && data.size() == 4) {
    WriteCommandData(LoadU32(data));
  } else {
    CountBadAccess("write", offset, data.size());
  }
  UpdateLine();
}

CpuRegisterBlock::Cpu* CpuRegisterBlock::Selected() {
  return selector_ < cpus_.size() ? &cpus_[selector_] : nullptr;
}

std::uint8_t CpuRegisterBlock::ReadFlags() {
  if (selector_ >= cpus_.size()) {
    return 0;
  }
  Cpu& cpu = cpus_[selector_];
  const CpuFlags& flags = cpu.flags;
  // A scan acts on what it reads here; _STA, which selects by itself, does not.
  const bool insert_event = ShowsInsert(cpu);
  cpu.insert_seen = cpu.insert_seen || (scanning_ && insert_event);
  cpu.remove_seen = cpu.remove_seen || (scanning_ && flags.remove_event);
  std::uint8_t value = 0;
  value |= flags.present ? kFlagPresent : 0;
  value |= insert_event ? kFlagInsertEvent : 0;
  value |= flags.remove_event ? kFlagRemoveEvent : 0;
  cpu.eject_unverified = cpu.eject_unverified && scanning_;
  return value;
}

std::uint32_t CpuRegisterBlock::ReadCommandData() const {
  if (selector_ >= cpus_.size()) {
    return 0;
  }
  switch (command_) {
    case kCommandNextWithEvent:
      return selector_;
    case kCommandApicId:
      return apic_ids_[selector_];
    default:
      return 0;
  }
}

void CpuRegisterBlock::WriteFlags(std::uint8_t value) {
  Cpu* const cpu = Selected();
  if (cpu == nullptr) {
    return;
  }
  CpuFlags& flags = cpu->flags;
  if ((value & kFlagInsertEvent) != 0 && ShowsInsert(*cpu)) {
    flags.insert_event = false;
    flags.present = true;
    intents_.Post({.kind = IntentKind::kInsertAcknowledged, .cpu = selector_});
  }
  if ((value & kFlagRemoveEvent) != 0 && flags.remove_event) {
    flags.remove_event = false;
    intents_.Post({.kind = IntentKind::kRemoveAcknowledged, .cpu = selector_});
  }
  if ((value & kFlagEject) != 0) {
    Eject(*cpu);
  }
}

void CpuRegisterBlock::Eject(Cpu& cpu) {
  // An authorisation, not a right of the guest. CPU 0 never has one: the host refuses to ask.
  if (!cpu.flags.eject_authorised || !cpu.flags.present) {
    spdlog::debug("cpu-hotplug: the guest ejected vCPU {} unasked; ignored", selector_);
    return;
  }
  // Present goes before this write returns: Linux reads _STA next, and takes "still enabled" for an
  // incomplete eject.
  cpu.flags = CpuFlags{};
  cpu.eject_unverified = true;
  intents_.Post({.kind = IntentKind::kEjected, .cpu = selector_});
}

void CpuRegisterBlock::WriteCommand(std::uint8_t value) {
  command_ = value;
  if (value != kCommandNextWithEvent) {
    return;
  }
  scanning_ = true;
  // From the selected one on, itself included, once round; unchanged where none has an event.
  const std::size_t start = selector_ < cpus_.size() ? selector_ : 0;
  for (std::size_t step = 0; step < cpus_.size(); ++step) {
    const std::size_t candidate = (start + step) % cpus_.size();
    if (ShowsEvent(cpus_[candidate])) {
      selector_ = static_cast<std::uint32_t>(candidate);
      return;
    }
  }
}

void CpuRegisterBlock::WriteCommandData(std::uint32_t value) {
  Cpu* const cpu = Selected();
  if (cpu == nullptr) {
    return;
  }
  if (command_ == kCommandOstEvent) {
    cpu->ost_event = value;
  } else if (command_ == kCommandOstStatus) {
    cpu->eject_unverified = false;
    intents_.Post({.kind = IntentKind::kOst,
                   .cpu = selector_,
                   .ost_event = cpu->ost_event,
                   .ost_status = value},
                  kMostWaitingOst);
  }
}

Result<void> CpuRegisterBlock::RaiseInsert(CpuId cpu) {
  const std::lock_guard lock(mutex_);
  Cpu& raised = cpus_[cpu];
  // One that waits still, from an add that ran out of time, may have been seen.
  raised.insert_seen = raised.insert_seen && raised.flags.insert_event;
  raised.flags.insert_event = true;
  UpdateLine();
  return LineAsserted();
}

bool CpuRegisterBlock::RetractInsert(CpuId cpu) {
  const std::lock_guard lock(mutex_);
  if (!cpus_[cpu].flags.insert_event || cpus_[cpu].insert_seen) {
    return false;
  }
  cpus_[cpu].flags.insert_event = false;
  UpdateLine();
  return true;
}

Result<void> CpuRegisterBlock::RaiseRemove(CpuId cpu) {
  const std::lock_guard lock(mutex_);
  cpus_[cpu].flags.remove_event = true;
  cpus_[cpu].flags.eject_authorised = true;
  cpus_[cpu].remove_seen = false;
  UpdateLine();
  return LineAsserted();
}

bool CpuRegisterBlock::RetractRemove(CpuId cpu) {
  const std::lock_guard lock(mutex_);
  CpuFlags& flags = cpus_[cpu].flags;
  if (!flags.remove_event || cpus_[cpu].remove_seen) {
    return false;
  }
  flags.remove_event = false;
  flags.eject_authorised = false;
  UpdateLine();
  return true;
}

bool CpuRegisterBlock::RevokeEject(CpuId cpu) {
  const std::lock_guard lock(mutex_);
  CpuFlags& flags = cpus_[cpu].flags;
  flags.remove_event = false;
  UpdateLine();
  return std::exchange(flags.eject_authorised, false);
}

void CpuRegisterBlock::Reset(const CpuSet& present, const CpuSet& inserting) {
  const std::lock_guard lock(mutex_);
  for (CpuId cpu = 0; cpu < cpus_.size(); ++cpu) {
    cpus_[cpu] = Cpu{};
    cpus_[cpu].flags.present = present.Contains(cpu);
    cpus_[cpu].flags.insert_event = inserting.Contains(cpu);
  }
  selector_ = 0;
  command_ = 0;
  scanning_ = false;
  // The interrupt controller was reset as well, and has forgotten the level: it is told anew.
  line_asserted_ = false;
  line_.Set(false);
  UpdateLine();
}

CpuFlags CpuRegisterBlock::flags(CpuId cpu) const {
  const std::lock_guard lock(mutex_);
  return cpus_[cpu].flags;
}

bool CpuRegisterBlock::eject_unverified(CpuId cpu) const {
  const std::lock_guard lock(mutex_);
  return cpus_[cpu].eject_unverified;
}

std::uint64_t CpuRegisterBlock::bad_accesses() const {
  const std::lock_guard lock(mutex_);
  return bad_accesses_;
}

void CpuRegisterBlock::CountBadAccess(std::string_view direction, std::uint64_t offset,
                                      std::size_t width) {
  // At powers of two: a guest that does it for ever fills no log.
  if (std::has_single_bit(++bad_accesses_)) {
    spdlog::warn(
        "cpu-hotplug: {} of {} bytes at offset {:#x} is no register access; ignored "
        "({} so far)",
        direction, width, offset, bad_accesses_);
  }
}

void CpuRegisterBlock::UpdateLine() {
  const bool wanted = std::ranges::any_of(cpus_, ShowsEvent);
  if (wanted != line_asserted_) {
    line_.Set(wanted);
    line_asserted_ = line_.fault() ? line_asserted_ : wanted;
  }
}

Result<void> CpuRegisterBlock::LineAsserted() const {
  if (line_asserted_ || !line_.fault()) {
    return {};
  }
  return Fail(ErrorCode::kIo, "interrupting the guest: {}", *line_.fault());
}

}  // namespace tidevm::hotplug
