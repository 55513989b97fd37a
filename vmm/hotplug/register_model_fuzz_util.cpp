#include "vmm/hotplug/register_model_fuzz_util.h"

#include <algorithm>

#include "fuzzing/require.h"
#include "tidevm/cpu_hotplug_registers.h"

// Only in messages: nothing is formatted unless something is wrong.
template <>
struct fmt::formatter<tidevm::hotplug::CpuFlags> : formatter<std::string_view> {
  template <typename Context>
  auto format(const tidevm::hotplug::CpuFlags& flags, Context& context) const {
    return fmt::format_to(context.out(), "present {:d}, insert {:d}, remove {:d}, authorised {:d}",
                          flags.present, flags.insert_event, flags.remove_event,
                          flags.eject_authorised);
  }
};

namespace tidevm::hotplug {
namespace {

using namespace cpu_hotplug;
using fuzzing::Require;

}  // namespace

RegisterModel::RegisterModel(const CpuRegisterBlock& device)
    : device_(device), cpus_(device.cpu_count()) {
  Reset();
}

std::uint64_t RegisterModel::Read(std::uint64_t offset, std::size_t width) {
  if (offset == kFlagsOffset && width == 1) {
    if (!in_range()) {
      return 0;
    }
    Cpu& cpu = cpus_[selector_];
    const bool insert = shows_insert(cpu);
    cpu.insert_seen = cpu.insert_seen || (scanning_ && insert);
    if (!scanning_) {
      cpu.looks_for_ejected = false;
    }
    return (cpu.flags.present ? 1U : 0U) + (insert ? 2U : 0U) + (cpu.flags.remove_event ? 4U : 0U);
  }
  if (offset == kCommandDataOffset && width == 4) {
    // The test bench's APIC ids are the CPU ids.
    const bool has_data = command_ == kCommandNextWithEvent || command_ == kCommandApicId;
    return in_range() && has_data ? selector_ : 0;
  }
  bad_accesses_ += offset == kCommandData2Offset && width == 4 ? 0U : 1U;
  return 0;
}

void RegisterModel::Write(std::uint64_t offset, std::size_t width, std::uint64_t value) {
  if (offset == kSelectorOffset && width == 4) {
    selector_ = static_cast<std::uint32_t>(value);
    scanning_ = false;
  } else if (offset == kFlagsOffset && width == 1) {
    WriteFlags(value);
  } else if (offset == kCommandOffset && width == 1) {
    command_ = static_cast<std::uint8_t>(value);
    if (command_ == kCommandNextWithEvent) {
      scanning_ = true;
      SelectNext();
    }
  } else if (offset != kCommandDataOffset || width != 4) {
    ++bad_accesses_;
  } else if (command_ == kCommandOstStatus && in_range()) {
    cpus_[selector_].looks_for_ejected = false;
  }
}

void RegisterModel::WriteFlags(std::uint64_t value) {
  if (!in_range()) {
    return;
  }
  CpuFlags& flags = cpus_[selector_].flags;
  if ((value & kFlagInsertEvent) != 0 && shows_insert(cpus_[selector_])) {
    flags.insert_event = false;
    flags.present = true;
  }
  if ((value & kFlagRemoveEvent) != 0) {
    flags.remove_event = false;
  }
  if ((value & kFlagEject) != 0 && flags.present && flags.eject_authorised) {
    flags = {};
    cpus_[selector_].looks_for_ejected = true;
  }
}

void RegisterModel::SelectNext() {
  const std::size_t count = cpus_.size();
  const std::size_t start = in_range() ? selector_ : 0;
  for (std::size_t i = start; i < start + count; ++i) {
    if (shows_event(cpus_[i % count])) {
      selector_ = static_cast<std::uint32_t>(i % count);
      return;
    }
  }
}

void RegisterModel::RequireSame() const {
  for (CpuId cpu = 0; cpu < cpus_.size(); ++cpu) {
    const CpuFlags actual = device_.flags(cpu);
    Require(actual == cpus_[cpu].flags, "vCPU {}: {}; expected {}", cpu, actual, cpus_[cpu].flags);
  }
  Require(device_.bad_accesses() == bad_accesses_, "{} bad accesses counted, there were {}",
          device_.bad_accesses(), bad_accesses_);
}

void RegisterModel::TakeOver() {
  for (CpuId cpu = 0; cpu < cpus_.size(); ++cpu) {
    Cpu& known = cpus_[cpu];
    const CpuFlags was = known.flags;
    const CpuFlags now = device_.flags(cpu);
    Require(now.present == was.present, "the host changed 'present' of vCPU {}: {}, then {}", cpu,
            was, now);
    Require(now.insert_event || !was.insert_event || !known.insert_seen,
            "the insert event of vCPU {} was taken back after the guest had seen it", cpu);
    Require(!now.remove_event || now.eject_authorised, "vCPU {}: {}", cpu, now);
    Require(now.remove_event || !was.remove_event || !now.eject_authorised,
            "the remove event of vCPU {} was taken back, the eject's authorisation was not", cpu);
    known.insert_seen = known.insert_seen && was.insert_event;
    known.flags = now;
  }
}

void RegisterModel::Reset() {
  for (CpuId cpu = 0; cpu < cpus_.size(); ++cpu) {
    cpus_[cpu] = {.flags = device_.flags(cpu)};
  }
  selector_ = 0;
  command_ = 0;
  scanning_ = false;
}

bool RegisterModel::event_waits() const { return std::ranges::any_of(cpus_, shows_event); }

}  // namespace tidevm::hotplug
