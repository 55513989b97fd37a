// Where everything lies that the guest can see: physical addresses, I/O ports, interrupt lines.
#pragma once

#include <cstdint>

#include "tidevm/ids.h"

namespace tidevm::layout {

// Guest physical addresses.
inline constexpr Gpa kGdt = 0x500;
inline constexpr Gpa kBootParams = 0x7000;    // struct boot_params, one page
inline constexpr Gpa kPageTables = 0x9000;    // PML4, PDPT, four page directories: 6 pages
inline constexpr Gpa kCommandLine = 0x20000;  // NUL-terminated
inline constexpr Gpa kCommandLineEnd = 0x21000;
inline constexpr Gpa kLowRamEnd = 0x9fc00;  // end of conventional memory, as a PC has it
inline constexpr Gpa kAcpiStart = 0xe0000;  // RSDP first, then the tables
inline constexpr Gpa kAcpiEnd = 0xffff0;
inline constexpr Gpa kResetVector = 0xffff0;  // F000:FFF0, where a PC starts; up to 1 MiB
inline constexpr Gpa kHighRamStart = 0x100000;
inline constexpr Gpa kMmioGapStart = 0xc0000000;    // 3 GiB: RAM stops here ...
inline constexpr Gpa kMmioGapEnd = 0x100000000;     // ... and goes on at 4 GiB
inline constexpr Gpa kKvmIdentityMap = 0xfeffc000;  // one page KVM wants on Intel hosts
inline constexpr Gpa kKvmTss = 0xfeffd000;          // three pages KVM wants on Intel hosts
inline constexpr Gpa kIoApic = 0xfec00000;
inline constexpr Gpa kLocalApic = 0xfee00000;

// I/O ports. The CPU hotplug block has a header of its own.
inline constexpr std::uint16_t kUartPort = 0x3f8;
inline constexpr std::uint16_t kUartPorts = 8;
inline constexpr std::uint16_t kPvpanicPort = 0x505;  // 1 port; QEMU docs/specs/pvpanic.rst
inline constexpr std::uint16_t kPowerPort = 0x0ce8;   // what lies in it is below
inline constexpr std::uint16_t kPowerPorts = 4;
inline constexpr std::uint16_t kSleepControlOffset = 0;  // ACPI 6.4, 4.8.3.7
inline constexpr std::uint16_t kSleepStatusOffset = 1;
inline constexpr std::uint16_t kResetOffset = 2;
inline constexpr std::uint16_t kPowerButtonOffset = 3;  // reads 1 once after each press, then 0
inline constexpr std::uint8_t kResetValue = 0x06;
inline constexpr std::uint8_t kSleepTypeS5 = 5;           // SLP_TYP of soft-off
inline constexpr std::uint8_t kSleepEnableBit = 1U << 5;  // SLP_EN
inline constexpr std::uint8_t kSleepTypeShift = 2;

// Interrupts. All are I/O APIC pins; there is no 8259.
inline constexpr Gsi kUartGsi = 4;
inline constexpr Gsi kCpuHotplugGsi = 16;   // level, active high: asserted while an event waits
inline constexpr Gsi kPowerButtonGsi = 17;  // level, active high: asserted until the button is read
inline constexpr std::uint32_t kIoApicPins = 24;

}  // namespace tidevm::layout
