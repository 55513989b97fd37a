// What assembler and C++ of the runtime must agree on. Read by the assembler as well, hence macros.
#pragma once
// NOLINTBEGIN(modernize-macro-to-enum)

// Where processors start after SIPI: one page below 1 MiB in which the VMM has nothing
// (include/tidevm/guest_layout.h). Its code first, struct TrampolineData at the offset.
#define TRAMPOLINE_BASE 0x10000
#define TRAMPOLINE_DATA 0x800
#define TRAMPOLINE_CR3 0x800
#define TRAMPOLINE_STACK 0x808
#define TRAMPOLINE_ENTRY 0x810

// Where processors start that ought not to: counts how many did, and halts them.
#define TRAP_BASE 0x11000
#define TRAP_COUNT 0x800

// Selectors: those for 64-bit mode as Linux's boot protocol fixes them, one for the way there.
#define TRAMPOLINE_CS 0x08
#define BOOT_CS 0x10
#define BOOT_DS 0x18

#define EXCEPTION_STUB_BYTES 16
#define EXCEPTION_FRAME_RSP 40

// NOLINTEND(modernize-macro-to-enum)
