// The guest of the host check: one entry per test, each run in a virtual machine of its own, in
// 64-bit mode at CPL 0 with interrupts off. Reports by OUT (probe_guest_abi.h). Position independent;
// copied to a page boundary below 1 MiB. Only what a test is about may be unusual here: the rest is
// written for KVMs whose instruction emulator knows little.
#include "vmm/machine/probe_guest_abi.h"

        .section .rodata.probe_guest, "a", @progbits
        .balign 4096
        .globl tidevm_probe_guest_begin, tidevm_probe_guest_end

// EAX to a port. Clobbers EDX.
.macro REPORT port
        mov     $\port, %edx
        out     %eax, %dx
.endm

// Clobbers EAX and EDX. In kernel mode only, like REPORT.
.macro STAGE number
        mov     $\number, %eax
        REPORT  PROBE_PORT_STAGE
.endm

// R15 is the vector that the test expects, and R14 where to go then.
.macro ENTRY
        mov     $PROBE_STACK_TOP, %esp
        mov     $-1, %r15
        STAGE   0
.endm

.macro EXPECT vector, continue
        mov     $\vector, %r15d
        lea     \continue(%rip), %r14
.endm

// Ends the test unless the CPUID bits in `mask` of `register` are there.
.macro NEED leaf, register, mask
        xor     %eax, %eax
        cpuid
        cmp     $\leaf, %eax
        jb      not_offered
        mov     $\leaf, %eax
        xor     %ecx, %ecx
        cpuid
        test    $\mask, \register
        jz      not_offered
.endm

.macro SET_CR4 bits
        mov     %cr4, %rax
        or      $\bits, %eax
        mov     %rax, %cr4
.endm

// IRETQ to CPL 3. With IOPL 0: KVMs that run user code on the processor with their own RFLAGS may
// refuse an OUT there. User code says by what it does next that it runs.
.macro TO_USER target
        push    $PROBE_USER_SS
        push    $PROBE_USER_STACK_TOP
        push    $0x2
        push    $PROBE_USER_CS
        lea     \target(%rip), %rax
        push    %rax
        iretq
.endm

// The table that probe_guest.cpp reads (struct BlobHeader); entries in the order of ProbeTest.
tidevm_probe_guest_begin:
        .long   stubs - tidevm_probe_guest_begin
        .long   user_page - tidevm_probe_guest_begin
        .irp    entry, basic, user_mode, system_call, user_interrupt, user_page_fault, cmpxchg16b, \
                       popcnt, int3, ldmxcsr, xsave, smap, fwait, second_processor, speed, io_cost
        .long   entry_\entry - tidevm_probe_guest_begin
        .endr

done:
        xor     %eax, %eax
        REPORT  PROBE_PORT_DONE
        jmp     hang
not_offered:
        xor     %eax, %eax
        REPORT  PROBE_PORT_NOT_OFFERED
        jmp     hang
mismatch:                               // EAX: what was found
        REPORT  PROBE_PORT_MISMATCH
hang:
        hlt
        jmp     hang

// ---- exceptions: Intel SDM vol. 3A, 6.14 (stack frame) and table 6-1 (which have an error code)
.macro STUB vector, has_error_code
        .balign PROBE_STUB_BYTES
        .if \has_error_code == 0
        push    $0
        .endif
        push    $\vector
        jmp     exception
.endm

        .balign PROBE_STUB_BYTES
stubs:
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
        STUB    PROBE_SYSTEM_VECTOR, 0

exception:                              // (%rsp): vector, error code, RIP, CS, RFLAGS, RSP, SS
        mov     (%rsp), %rax
        cmp     %r15, %rax
        jne     1f
        jmp     *%r14
1:      REPORT  PROBE_PORT_VECTOR
        mov     8(%rsp), %rax
        REPORT  PROBE_PORT_ERROR_CODE
        mov     24(%rsp), %rax
        REPORT  PROBE_PORT_CS
        mov     16(%rsp), %rax
        REPORT  PROBE_PORT_RIP
        jmp     hang

// ---- what any guest needs
entry_basic:
        ENTRY
        movabs  $0x0123456789abcdef, %rax
        shr     $32, %rax               // outside 64-bit mode this line means something else
        cmp     $0x01234567, %eax
        jne     mismatch
        STAGE   1
        mov     $PROBE_PORT_ECHO, %edx
        in      %dx, %eax
        cmp     $PROBE_ECHO, %eax
        jne     mismatch
        jmp     done

// ---- user mode
entry_user_mode:
        ENTRY
        EXPECT  6, user_mode_arrival
        TO_USER user_plain

user_mode_arrival:                      // EBX: CS as user mode saw it; may not be our selector
        mov     %ebx, %eax
        and     $3, %eax
        cmp     $3, %eax
        jne     mismatch
        mov     24(%rsp), %eax
        cmp     $PROBE_USER_CS, %eax
        jne     mismatch
        STAGE   1
        mov     %cr0, %rax              // and the handler is at CPL 0 again
        jmp     done

entry_system_call:
        ENTRY
        mov     $0xc0000080, %ecx       // EFER
        rdmsr
        or      $1, %eax                // SCE
        wrmsr
        mov     $0xc0000081, %ecx       // STAR
        xor     %eax, %eax
        mov     $((PROBE_SYSRET_BASE << 16) | PROBE_KERNEL_CS), %edx
        wrmsr
        inc     %ecx                    // LSTAR; the blob lies below 4 GiB
        lea     system_call_arrival(%rip), %rax
        xor     %edx, %edx
        wrmsr
        mov     $0xc0000084, %ecx       // FMASK: TF, IF and DF, not IOPL
        mov     $0x700, %eax
        wrmsr
        STAGE   1
        TO_USER user_system_call

system_call_arrival:                    // EBX: 1 the first time, 2 the second; RCX, R11: return
        mov     %cs, %eax
        test    $3, %al
        jnz     mismatch
        STAGE   2
        mov     %cr0, %rax              // CPL 0 in deed, not only in the selector
        cmp     $2, %ebx
        je      done
        STAGE   3
        sysretq

entry_user_interrupt:
        ENTRY
        EXPECT  PROBE_SYSTEM_VECTOR, interrupt_arrival
        TO_USER user_interrupt

interrupt_arrival:
        mov     %cs, %eax
        test    $3, %al
        jnz     mismatch
        mov     24(%rsp), %eax
        cmp     $PROBE_USER_CS, %eax
        jne     mismatch
        cmp     $2, %ebx
        je      done
        STAGE   1
        add     $16, %rsp               // vector and error code
        iretq

entry_user_page_fault:
        ENTRY
        EXPECT  14, page_fault_arrival
        TO_USER user_page_fault

page_fault_arrival:
        mov     24(%rsp), %eax
        cmp     $PROBE_USER_CS, %eax
        jne     mismatch
        STAGE   1
        mov     %cr2, %rax
        cmp     $PROBE_UNMAPPED, %rax
        jne     mismatch
        jmp     done

// ---- instructions that kernels use
entry_cmpxchg16b:
        ENTRY
        NEED    1, %ecx, (1 << 13)
        mov     $PROBE_SCRATCH, %edi
        movq    $5, (%rdi)
        movq    $6, 8(%rdi)
        STAGE   1
        mov     $5, %eax
        mov     $6, %edx
        mov     $7, %ebx
        mov     $8, %ecx
        lock cmpxchg16b (%rdi)
        mov     $0, %eax
        jnz     mismatch
        mov     8(%rdi), %eax
        cmp     $8, %eax
        jne     mismatch
        jmp     done

entry_popcnt:
        ENTRY
        NEED    1, %ecx, (1 << 23)
        STAGE   1
        mov     $0xf0f1, %ecx
        popcnt  %rcx, %rax
        cmp     $9, %eax
        jne     mismatch
        jmp     done

entry_int3:
        ENTRY
        EXPECT  3, int3_arrival
        STAGE   1
        int3
1:      STAGE   3
        jmp     done
int3_arrival:
        lea     1b(%rip), %rcx          // a trap: the saved RIP lies behind it
        mov     16(%rsp), %rax
        cmp     %rcx, %rax
        jne     mismatch
        STAGE   2
        add     $16, %rsp
        iretq

entry_ldmxcsr:
        ENTRY
        SET_CR4 0x600                   // OSFXSR, OSXMMEXCPT
        mov     $PROBE_SCRATCH, %edi
        movl    $0x1f00, (%rdi)
        STAGE   1
        ldmxcsr (%rdi)
        stmxcsr 4(%rdi)
        mov     4(%rdi), %eax
        cmp     $0x1f00, %eax
        jne     mismatch
        jmp     done

entry_xsave:
        ENTRY
        NEED    1, %ecx, (1 << 26)
        STAGE   1
        SET_CR4 0x40600                 // OSXSAVE as well
        STAGE   2
        xor     %ecx, %ecx
        xor     %edx, %edx
        mov     $3, %eax                // x87 and SSE
        xsetbv
        STAGE   3
        mov     $PROBE_SCRATCH, %edi
        mov     $3, %eax
        xor     %edx, %edx
        xsave   (%rdi)
        STAGE   4
        mov     $3, %eax
        xor     %edx, %edx
        xrstor  (%rdi)
        jmp     done

entry_smap:
        ENTRY
        NEED    7, %ebx, (1 << 20)
        STAGE   1
        SET_CR4 0x200000
        STAGE   2
        stac
        mov     PROBE_USER_STACK_PAGE, %eax
        STAGE   3
        clac
        STAGE   4
        EXPECT  14, done                // now it must not be read any more
        mov     PROBE_USER_STACK_PAGE, %eax
        jmp     mismatch

entry_fwait:
        ENTRY
        fninit
        STAGE   1
        fwait
        jmp     done

// ---- a second processor: Intel SDM vol. 3A, 8.4.4.1 (INIT, then SIPI) and 10.6.1 (ICR)
entry_second_processor:
        ENTRY
        mov     $PROBE_LAPIC, %edi
        movl    $0x1ff, 0xf0(%rdi)      // software enable, as kernels do; KVM's map of APIC ids
                                        // knows a new vCPU only after a change like this
        movl    $(1 << 24), 0x310(%rdi) // to APIC id 1
        movl    $0x4500, 0x300(%rdi)    // INIT, assert
        STAGE   1
        lea     trampoline(%rip), %rax
        shr     $12, %eax
        or      $0x4600, %eax           // SIPI to the trampoline's page
        mov     %eax, 0x300(%rdi)
        STAGE   2
1:      pause
        mov     alive(%rip), %eax
        test    %eax, %eax
        jz      1b
        jmp     done

// ---- speed
entry_speed:                            // marks after 2^14, 2^15, ... 2^25 rounds of two instructions
        ENTRY
        xor     %eax, %eax
        REPORT  PROBE_PORT_MARK
        mov     $0x4000, %ebx
1:      mov     %ebx, %ecx
2:      dec     %ecx
        jnz     2b
        mov     %ebx, %eax
        REPORT  PROBE_PORT_MARK
        add     %ebx, %ebx
        cmp     $0x2000000, %ebx
        jbe     1b
        jmp     done

entry_io_cost:                          // marks after each 256 exits, 16 times
        ENTRY
        xor     %eax, %eax
        REPORT  PROBE_PORT_MARK
        mov     $16, %ebx
1:      mov     $256, %ecx
        mov     $PROBE_PORT_NOTHING, %edx
2:      out     %eax, %dx
        dec     %ecx
        jnz     2b
        mov     $256, %eax
        REPORT  PROBE_PORT_MARK
        dec     %ebx
        jnz     1b
        jmp     done

// ---- the page that user mode may use
        .balign 4096
user_page:
user_plain:
        mov     %cs, %ebx
        ud2

user_system_call:
        mov     $1, %ebx
        syscall
        mov     $2, %ebx
        syscall
        ud2

user_interrupt:
        mov     $1, %ebx
        int     $PROBE_SYSTEM_VECTOR
        mov     $2, %ebx
        int     $PROBE_SYSTEM_VECTOR
        ud2

user_page_fault:
        mov     PROBE_UNMAPPED, %eax
        ud2

// ---- where the second processor starts, in real mode with CS on this page and IP 0
        .balign 4096
trampoline:
        .code16
        mov     $1, %eax
        mov     $PROBE_PORT_AP, %dx
        out     %eax, %dx
        movl    $1, %cs:alive - trampoline
1:      hlt
        jmp     1b
        .code64
        .balign 4
alive:  .long   0
        .balign 4096
tidevm_probe_guest_end:

        .section .note.GNU-stack, "", @progbits
