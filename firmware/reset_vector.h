// What lies at a PC's reset vector.
#pragma once

#include <array>
#include <cstdint>

#include "tidevm/guest_layout.h"

namespace tidevm::firmware {

/// Real-mode code for layout::kResetVector (F000:FFF0) that resets the machine. Linux on a
/// hardware-reduced platform takes it that EFI does the restart; without EFI it goes back to real
/// mode and jumps here, and never tries the FADT's reset register (efi_reboot_required() and
/// BOOT_BIOS in arch/x86: kernel/reboot.c, platform/efi/quirks.c).
///
///   mov dx, RESET_PORT
///   mov al, RESET_VALUE
///   out dx, al
///   hlt
///   jmp -3
inline constexpr std::array<std::uint8_t, 9> kResetVectorCode = {
    0xba,
    (layout::kPowerPort + layout::kResetOffset) & 0xff,
    (layout::kPowerPort + layout::kResetOffset) >> 8,
    0xb0,
    layout::kResetValue,
    0xee,
    0xf4,
    0xeb,
    0xfd};

static_assert(layout::kResetVector + kResetVectorCode.size() <= layout::kHighRamStart);

}  // namespace tidevm::firmware
