// The CPU hotplug registers, as a guest uses them. One processor at a time.
#pragma once

#include <cstdint>

#include "tidevm/cpu_hotplug_registers.h"
#include "tidevm/ids.h"

namespace tidevm::bare_metal::hotplug {

// _OST: ACPI 6.4, 6.3.5.
inline constexpr std::uint32_t kOstDeviceCheck = 1;
inline constexpr std::uint32_t kOstEjectRequest = 3;
inline constexpr std::uint32_t kOstSuccess = 0;
inline constexpr std::uint32_t kOstFailure = 1;
inline constexpr std::uint32_t kOstEjectInProgress = 0x84;

void Select(std::uint32_t cpu);
std::uint8_t Flags();
void WriteFlags(std::uint8_t flags);
void Command(std::uint8_t command);
std::uint32_t Data();
void WriteData(std::uint32_t value);

// Each of these selects first.
std::uint8_t FlagsOf(std::uint32_t cpu);
void WriteFlagsOf(std::uint32_t cpu, std::uint8_t flags);
ApicId ApicIdOf(std::uint32_t cpu);
void ReportOst(std::uint32_t cpu, std::uint32_t event, std::uint32_t status);
/// _EJ0, and then _STA, as ACPI has it (6.4, 6.3.3): what the flags are afterwards.
inline std::uint8_t Eject(std::uint32_t cpu) {
  WriteFlagsOf(cpu, cpu_hotplug::kFlagEject);
  return Flags();
}

/// What the command "next CPU with an event" finds.
struct Event {
  CpuId cpu = 0;  // the selected one, whether it has an event or not
  std::uint8_t flags = 0;
  bool insert() const { return (flags & cpu_hotplug::kFlagInsertEvent) != 0; }
  bool remove() const { return (flags & cpu_hotplug::kFlagRemoveEvent) != 0; }
};
Event NextEvent();

/// Waits for an insert event, and acknowledges it.
CpuId AcceptInsert();
/// Waits for a remove event, and acknowledges it.
CpuId AcceptRemove();

/// As a well-behaved guest: takes up what is plugged, without starting it, and gives up what is
/// wanted back.
void Serve(const Event& event);
/// Does that until the test sends `word`.
void ServeUntil(const char* word);

}  // namespace tidevm::bare_metal::hotplug
