// Where a guest begins, in 64-bit mode with memory mapped one to one and RSI at the boot parameters,
// as Linux's 64-bit boot protocol has it; and what exceptions find.
#include "guest-tests/bare-metal/runtime/trampoline.h"

        .section .text.start, "ax", @progbits
        .globl _start
_start:
        cli
        cld
        mov     $boot_stack_top, %esp   // below 4 GiB: the upper half becomes 0
        mov     %rsi, %rdi
        call    BootProcessorMain

// ---- exceptions: Intel SDM vol. 3A, 6.14 (stack frame) and table 6-1 (which have an error code)
        .text
        .globl exception_stubs
.macro STUB vector, has_error_code
        .balign EXCEPTION_STUB_BYTES
        .if \has_error_code == 0
        push    $0
        .endif
        push    $\vector
        jmp     exception
.endm
        .balign EXCEPTION_STUB_BYTES
exception_stubs:
        .irp    vector, 0, 1, 2, 3, 4, 5, 6, 7
        STUB    \vector, 0
        .endr
        STUB    8, 1
        STUB    9, 0
        .irp    vector, 10, 11, 12, 13, 14
        STUB    \vector, 1
        .endr
        STUB    15, 0
        STUB    16, 0
        STUB    17, 1
        .irp    vector, 18, 19, 20
        STUB    \vector, 0
        .endr
        STUB    21, 1
        .irp    vector, 22, 23, 24, 25, 26, 27, 28
        STUB    \vector, 0
        .endr
        STUB    29, 1
        STUB    30, 1
        STUB    31, 0

// No IRETQ: not every KVM that interprets knows it, and there are no interrupts to be let in again.
exception:
        mov     %rsp, %rdi              // struct ExceptionFrame
        sub     $8, %rsp
        call    HandleException         // comes back with where to go on, or not at all
        mov     (EXCEPTION_FRAME_RSP + 8)(%rsp), %rsp
        jmp     *%rax

        .bss
        .balign 16
        .skip   16384
boot_stack_top:

        .section .note.GNU-stack, "", @progbits
