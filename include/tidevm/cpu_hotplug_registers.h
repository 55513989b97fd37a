// The guest-visible CPU hotplug register block: the one statement of it. The AML generator, the
// register device and the bare-metal guests all include this file, so they cannot drift apart.
//
// Source: QEMU docs/specs/acpi_cpu_hotplug.rst, the "modern" 12-byte interface. All fields are
// little-endian. Where tidevm is stricter than QEMU it says so here:
//  - kFlagPresent of a CPU that is being added turns 1 when the guest acknowledges the insert event
//    (kFlagInsertEvent written 1), not when the host asks. A guest that scans _STA while it boots
//    therefore never meets a CPU before the notification for it.
//  - kFlagEject is obeyed only for a CPU whose removal the host has asked for.
//  - After an ejection the CPU's next insert event is hidden until the guest has looked whether the
//    CPU is gone (its flags read, selected by number: _STA), or has said what it made of it (_OST).
//    ACPI 6.4, 6.3.3 has every OSPM look; Linux, which would meet the new CPU there, would take the
//    ejection for incomplete.
//  - An access of a wrong width, or to a write-only field, reads 0 and writes nothing.
#pragma once

#include <cstdint>

namespace tidevm::cpu_hotplug {

inline constexpr std::uint16_t kBasePort = 0x0cd8;
inline constexpr std::uint16_t kBlockSize = 12;

// Offsets, with the only access width that each takes.
inline constexpr std::uint16_t kSelectorOffset = 0x0;      // write, 4 bytes
inline constexpr std::uint16_t kCommandData2Offset = 0x0;  // read, 4 bytes
inline constexpr std::uint16_t kFlagsOffset = 0x4;         // read and write, 1 byte
inline constexpr std::uint16_t kCommandOffset = 0x5;       // write, 1 byte
inline constexpr std::uint16_t kCommandDataOffset = 0x8;   // read and write, 4 bytes

// Flags of the selected CPU.
inline constexpr std::uint8_t kFlagPresent = 1U << 0;      // read
inline constexpr std::uint8_t kFlagInsertEvent = 1U << 1;  // read; write 1 clears the event
inline constexpr std::uint8_t kFlagRemoveEvent = 1U << 2;  // read; write 1 clears the event
inline constexpr std::uint8_t kFlagEject = 1U << 3;        // write 1 ejects

// Commands.
inline constexpr std::uint8_t kCommandNextWithEvent = 0;  // selects the next CPU with an event
inline constexpr std::uint8_t kCommandOstEvent = 1;       // next data write is an _OST event code
inline constexpr std::uint8_t kCommandOstStatus = 2;      // next data write is an _OST status code
inline constexpr std::uint8_t kCommandApicId = 3;         // data reads the selected CPU's APIC id

}  // namespace tidevm::cpu_hotplug
