// What the probe guest (probe_guest.S) and its host side (probe_guest.cpp) must agree on. Read by
// the assembler as well, hence macros.
#pragma once
// NOLINTBEGIN(modernize-macro-to-enum)

// Guest physical addresses; one region of memory from 0. Mapped one to one, 4 KiB pages.
#define PROBE_GDT 0x1000
#define PROBE_IDT 0x2000
#define PROBE_TSS 0x3000
#define PROBE_PML4 0x4000
#define PROBE_PDPT 0x5000
#define PROBE_PD_LOW 0x6000
#define PROBE_PT_LOW 0x7000
#define PROBE_PD_HIGH 0x8000
#define PROBE_INTERRUPT_STACK_TOP 0xb000  // RSP0
#define PROBE_STACK_TOP 0xd000
#define PROBE_SCRATCH 0xe000  // for XSAVE: 64-byte aligned
#define PROBE_USER_STACK_PAGE 0xf000
#define PROBE_USER_STACK_TOP 0x10000
#define PROBE_BLOB 0x10000
#define PROBE_MEMORY_SIZE 0x20000
#define PROBE_UNMAPPED 0x80000  // no page here
#define PROBE_LAPIC 0xfee00000

// Selectors. SYSCALL and SYSRET fix the order (Intel SDM vol. 3A, 5.8.8): SYSCALL takes CS and
// CS+8 for kernel code and stack, SYSRET base+8 for the user stack and base+16 for user code.
#define PROBE_KERNEL_CS 0x10
#define PROBE_KERNEL_DS 0x18
#define PROBE_USER_SS 0x23
#define PROBE_USER_CS 0x2b
#define PROBE_SYSRET_BASE 0x1b
#define PROBE_TR 0x30

// I/O ports, 4 bytes each. The first group ends the test.
#define PROBE_PORT_DONE 0x700
#define PROBE_PORT_NOT_OFFERED 0x704  // CPUID says that the feature is not there
#define PROBE_PORT_MISMATCH 0x708     // value: what was found instead
#define PROBE_PORT_RIP 0x70c          // of an exception; vector, error code and CS came before
#define PROBE_PORT_VECTOR 0x710
#define PROBE_PORT_ERROR_CODE 0x714
#define PROBE_PORT_CS 0x718
#define PROBE_PORT_STAGE 0x71c    // what comes next in this test
#define PROBE_PORT_MARK 0x720     // value: units of work since the last mark
#define PROBE_PORT_NOTHING 0x724  // an exit, and that is all
#define PROBE_PORT_ECHO 0x728     // reads PROBE_ECHO
#define PROBE_PORT_AP 0x72c       // the application processor runs

#define PROBE_ECHO 0x71de0001
#define PROBE_SYSTEM_VECTOR 0x80  // gate for INT n from user mode
#define PROBE_STUB_BYTES 16  // from one exception stub to the next; 0 to 31, then the system one
#define PROBE_EXCEPTIONS 32

// NOLINTEND(modernize-macro-to-enum)
