// The registers with which the first vCPU enters a 64-bit Linux kernel.
#pragma once

#include <cstdint>

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/kvm/vcpu.h"

namespace tidevm::vcpu {

/// Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol".
struct LongModeEntry {
  Gpa rip = 0;
  Gpa rsi = 0;  // struct boot_params
  Gpa cr3 = 0;  // PML4 with the low memory mapped one to one
  Gpa gdt_base = 0;
  std::uint16_t gdt_limit = 0;
  std::uint16_t code_selector = 0x10;
  std::uint16_t data_selector = 0x18;
};

/// Paging and long mode on, flat segments, interrupts off.
Result<void> EnterLongMode(kvm::Vcpu& vcpu, const LongModeEntry& entry);

}  // namespace tidevm::vcpu
