// The other processors.
#pragma once

#include <cstdint>

#include "tidevm/ids.h"

namespace tidevm::bare_metal {

/// What a processor's registers held when it left its wait for SIPI.
struct EntryState {
  std::uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
  std::uint32_t cr0, cr2, cr3, cr4;
  std::uint32_t efer;
  std::uint32_t unused;
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

using ProcessorFunction = void (*)(ApicId self);

/// INIT and SIPI; returns when `function` is about to run there, with a stack of its own,
/// interrupts off. One at a time. The processor halts when `function` returns.
void StartProcessor(ApicId target, ProcessorFunction function);

/// Of the processor that StartProcessor() started last.
const EntryState& LastEntryState();

/// How many processors ran the code at the page TRAP_BASE, where nobody is sent by
/// StartProcessor().
std::uint32_t ProcessorsInTrap();
void SetTrap();

}  // namespace tidevm::bare_metal
