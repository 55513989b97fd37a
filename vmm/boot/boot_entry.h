// The state in which the boot vCPU enters a 64-bit kernel.
#pragma once

#include <cstdint>

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/boot/guest_memory.h"

namespace tidevm::boot {

/// What the boot vCPU's registers hold at its first instruction, as the "64-bit Boot Protocol"
/// section of Documentation/arch/x86/boot.rst wants it: long mode, paging on, interrupts off,
/// CS = code_selector, DS = ES = SS = data_selector, RSI = boot_params.
struct BootEntry {
  Gpa rip = 0;
  Gpa boot_params = 0;
  Gpa page_table_root = 0;  ///< CR3: the first 4 GiB mapped to themselves, writable
  Gpa gdt_base = 0;
  std::uint16_t gdt_limit = 0;  ///< in bytes, minus one
  std::uint16_t code_selector = 0;
  std::uint16_t data_selector = 0;
};

/// Writes the page tables and the GDT to their places in layout::.
Result<BootEntry> WriteBootEntry(const GuestMemory& memory, Gpa kernel_entry);

}  // namespace tidevm::boot
