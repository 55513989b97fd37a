// The way of a processor from SIPI to 64-bit mode. Copied to TRAMPOLINE_BASE; starts in real mode
// with CS there and IP 0. Notes what the registers held before it changes any.
#include "guest-tests/bare-metal/runtime/trampoline.h"

        .section .rodata.trampoline, "a", @progbits
        .globl trampoline_begin, trampoline_end, trap_begin, trap_end
        .code16
trampoline_begin:
        cli
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 0
        mov     %ecx, %cs:TRAMPOLINE_ENTRY + 4
        mov     %edx, %cs:TRAMPOLINE_ENTRY + 8
        mov     %ebx, %cs:TRAMPOLINE_ENTRY + 12
        mov     %esp, %cs:TRAMPOLINE_ENTRY + 16
        mov     %ebp, %cs:TRAMPOLINE_ENTRY + 20
        mov     %esi, %cs:TRAMPOLINE_ENTRY + 24
        mov     %edi, %cs:TRAMPOLINE_ENTRY + 28
        mov     %cr0, %eax
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 32
        mov     %cr2, %eax
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 36
        mov     %cr3, %eax
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 40
        mov     %cr4, %eax
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 44
        mov     $0xc0000080, %ecx       // EFER
        rdmsr
        mov     %eax, %cs:TRAMPOLINE_ENTRY + 48

        // Intel SDM vol. 3A, 9.9.1 and 9.8.5: protected mode; then PAE, the page tables, long mode
        // enabled, and paging.
        lgdtl   %cs:trampoline_gdt_pointer - trampoline_begin
        mov     $0x11, %eax             // ET, PE; caches on
        mov     %eax, %cr0
        ljmpl   $TRAMPOLINE_CS, $(TRAMPOLINE_BASE + protected_mode - trampoline_begin)

        .code32
protected_mode:
        mov     $BOOT_DS, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $0x20, %eax             // PAE
        mov     %eax, %cr4
        mov     TRAMPOLINE_BASE + TRAMPOLINE_CR3, %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx       // EFER
        rdmsr
        or      $0x100, %eax            // LME
        wrmsr
        mov     $0x80000011, %eax       // and PG
        mov     %eax, %cr0
        ljmp    $BOOT_CS, $(TRAMPOLINE_BASE + long_mode - trampoline_begin)

        .code64
long_mode:
        mov     $BOOT_DS, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $TRAMPOLINE_BASE, %eax
        mov     %r8, TRAMPOLINE_ENTRY + 56(%rax)
        mov     %r9, TRAMPOLINE_ENTRY + 64(%rax)
        mov     %r10, TRAMPOLINE_ENTRY + 72(%rax)
        mov     %r11, TRAMPOLINE_ENTRY + 80(%rax)
        mov     %r12, TRAMPOLINE_ENTRY + 88(%rax)
        mov     %r13, TRAMPOLINE_ENTRY + 96(%rax)
        mov     %r14, TRAMPOLINE_ENTRY + 104(%rax)
        mov     %r15, TRAMPOLINE_ENTRY + 112(%rax)
        mov     TRAMPOLINE_STACK(%rax), %rsp
        mov     $ProcessorMain, %eax
        call    *%rax

        // Intel SDM vol. 3A, 3.4.5: flat, 4 KiB granularity, ring 0, accessed.
        .balign 8
trampoline_gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      // TRAMPOLINE_CS
        .quad   0x00af9b000000ffff      // BOOT_CS
        .quad   0x00cf93000000ffff      // BOOT_DS
trampoline_gdt_pointer:
        .word   trampoline_gdt_pointer - trampoline_gdt - 1
        .long   TRAMPOLINE_BASE + trampoline_gdt - trampoline_begin
trampoline_end:

        .code16
trap_begin:
        cli
        lock incl %cs:TRAP_COUNT
1:      hlt
        jmp     1b
trap_end:

        .section .note.GNU-stack, "", @progbits
