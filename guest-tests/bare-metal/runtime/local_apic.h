// This processor's local APIC, through memory (xAPIC) or MSRs (x2APIC), whichever mode it is in.
#pragma once

#include <cstdint>

#include "tidevm/ids.h"

namespace tidevm::bare_metal::local_apic {

// Intel SDM vol. 3A, table 10-1: offsets from kLocalApic; of MSRs, 16 bytes each.
inline constexpr std::uint32_t kId = 0x20;
inline constexpr std::uint32_t kTaskPriority = 0x80;
inline constexpr std::uint32_t kLogicalDestination = 0xd0;
inline constexpr std::uint32_t kDestinationFormat = 0xe0;
inline constexpr std::uint32_t kSpurious = 0xf0;
inline constexpr std::uint32_t kInService = 0x100;  // to 0x170
inline constexpr std::uint32_t kRequested = 0x200;  // to 0x270
inline constexpr std::uint32_t kErrorStatus = 0x280;
inline constexpr std::uint32_t kCommandLow = 0x300;
inline constexpr std::uint32_t kCommandHigh = 0x310;
inline constexpr std::uint32_t kTimer = 0x320;  // the first of six local vectors
inline constexpr std::uint32_t kLint0 = 0x350;
inline constexpr std::uint32_t kLint1 = 0x360;
inline constexpr std::uint32_t kError = 0x370;
inline constexpr std::uint32_t kTimerInitial = 0x380;
inline constexpr std::uint32_t kTimerDivide = 0x3e0;

std::uint32_t Read(std::uint32_t offset);
void Write(std::uint32_t offset, std::uint32_t value);

bool IsX2();
void EnterX2Mode();
ApicId Id();

void SendInit(ApicId target);
/// `page`: where in the first MiB to start, in pages.
void SendStartup(ApicId target, std::uint32_t page);
/// A fixed interrupt to this processor. With interrupts off it stays requested.
void RequestOfSelf(std::uint8_t vector);

}  // namespace tidevm::bare_metal::local_apic
