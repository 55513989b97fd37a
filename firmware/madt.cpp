#include "firmware/madt.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "firmware/acpi_config.h"
#include "firmware/bytes.h"
#include "firmware/table.h"
#include "tidevm/guest_layout.h"
#include "tidevm/ids.h"

namespace tidevm::firmware {
namespace {

constexpr std::uint8_t kRevision = 5;

// Entry types, each with the length that belongs to it.
constexpr std::uint8_t kLocalApic = 0;
constexpr std::uint8_t kLocalApicLength = 8;
constexpr std::uint8_t kIoApic = 1;
constexpr std::uint8_t kIoApicLength = 12;
constexpr std::uint8_t kLocalApicNmi = 4;
constexpr std::uint8_t kLocalApicNmiLength = 6;
constexpr std::uint8_t kX2Apic = 9;
constexpr std::uint8_t kX2ApicLength = 16;
constexpr std::uint8_t kX2ApicNmi = 0xa;
constexpr std::uint8_t kX2ApicNmiLength = 12;

constexpr ApicId kHighestXApicId = 254;  // 255 is the broadcast
constexpr std::uint16_t kConformingInterrupt = 0;
constexpr std::uint8_t kNmiPin = 1;  // LINT1

bool NeedsX2Apic(const CpuEntry& cpu) { return cpu.apic_id > kHighestXApicId; }

/// The lowest id that no CPU has. With all of 0 to 254 taken it is 0: on processors with an xAPIC
/// the two kinds of id are apart, and Linux compares I/O APICs with one another only.
std::uint8_t IoApicId(std::span<const CpuEntry> cpus) {
  ApicId id = 0;
  for (const CpuEntry& cpu : cpus) {  // ascending
    if (cpu.apic_id == id) {
      ++id;
    }
  }
  return static_cast<std::uint8_t>(id <= kHighestXApicId ? id : 0);
}

void AppendIoApic(Table& madt, std::uint8_t id) {
  madt.Append(kIoApic);
  madt.Append(kIoApicLength);
  madt.Append(id);
  madt.Append(std::uint8_t{0});
  madt.Append(static_cast<std::uint32_t>(layout::kIoApic));
  madt.Append(std::uint32_t{0});  // its first pin is GSI 0
}

void AppendLocalApicNmi(Table& madt) {
  constexpr std::uint8_t kEveryCpu = 0xff;
  madt.Append(kLocalApicNmi);
  madt.Append(kLocalApicNmiLength);
  madt.Append(kEveryCpu);
  madt.Append(kConformingInterrupt);
  madt.Append(kNmiPin);
}

void AppendX2ApicNmi(Table& madt) {
  constexpr std::uint32_t kEveryCpu = 0xffffffff;
  madt.Append(kX2ApicNmi);
  madt.Append(kX2ApicNmiLength);
  madt.Append(kConformingInterrupt);
  madt.Append(kEveryCpu);
  madt.Append(kNmiPin);
  madt.Append(std::uint8_t{0});
  madt.Append(std::uint16_t{0});
}

}  // namespace

Bytes MadtCpuEntry(const CpuEntry& cpu, std::uint32_t flags) {
  Bytes entry;
  if (NeedsX2Apic(cpu)) {
    Append(entry, kX2Apic);
    Append(entry, kX2ApicLength);
    Append(entry, std::uint16_t{0});
    Append(entry, cpu.apic_id);
    Append(entry, flags);
    Append(entry, cpu.uid);
  } else {
    Append(entry, kLocalApic);
    Append(entry, kLocalApicLength);
    Append(entry, static_cast<std::uint8_t>(cpu.uid));
    Append(entry, static_cast<std::uint8_t>(cpu.apic_id));
    Append(entry, flags);
  }
  return entry;
}

Bytes BuildMadt(std::span<const CpuEntry> cpus) {
  constexpr std::uint32_t kNoPcatCompat = 0;
  Table madt("APIC", kRevision);
  madt.Append(static_cast<std::uint32_t>(layout::kLocalApic));
  madt.Append(kNoPcatCompat);
  for (const CpuEntry& cpu : cpus) {
    madt.Append(MadtCpuEntry(cpu, cpu.enabled_at_boot ? kMadtEnabled : kMadtOnlineCapable));
  }
  AppendIoApic(madt, IoApicId(cpus));
  AppendLocalApicNmi(madt);
  if (std::ranges::any_of(cpus, NeedsX2Apic)) {
    AppendX2ApicNmi(madt);
  }
  return std::move(madt).Finish();
}

}  // namespace tidevm::firmware
