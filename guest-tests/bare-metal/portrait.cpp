#include "guest-tests/bare-metal/portrait.h"

#include "guest-tests/bare-metal/runtime/exceptions.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/local_apic.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

/// An MSR, and a value that it can take without harm; 0: it is only looked at. Not here: the TSC
/// and what follows it, counters that run by themselves, and MSRs that belong to the whole VM.
struct Msr {
  std::uint32_t number;
  std::uint64_t other_value;
};
constexpr std::uint64_t kSomeKernelAddress = 0x123000;
constexpr std::uint64_t kPageForKvm = 0x12000;  // behind the trampolines, used by nobody
constexpr Msr kMsrs[] = {
    {0x0000001b, 0},                        // APIC_BASE
    {0x00000174, 0x10},                     // SYSENTER_CS
    {0x00000175, kSomeKernelAddress},       // SYSENTER_ESP
    {0x00000176, kSomeKernelAddress},       // SYSENTER_EIP
    {0x0000017a, 0},                        // MCG_STATUS
    {0x000001a0, 0},                        // MISC_ENABLE
    {0x000001d9, 0},                        // DEBUGCTL
    {0x00000200, 0x6},                      // MTRR_PHYSBASE0
    {0x00000201, 0xfff00800},               // MTRR_PHYSMASK0
    {0x00000250, 0x0606060606060606},       // MTRR_FIX64K
    {0x0000026f, 0x0505050505050505},       // MTRR_FIX4K_F8000
    {0x00000277, 0x0007010600070106},       // PAT, two types changed round
    {0x000002ff, 0xc06},                    // MTRR_DEF_TYPE
    {0x00000400, 0},                        // MC0_CTL
    {0x00000401, 0},                        // MC0_STATUS
    {0x000006e0, 0},                        // TSC_DEADLINE
    {0xc0000081, 0x0023001000000000},       // STAR
    {0xc0000082, kSomeKernelAddress},       // LSTAR
    {0xc0000083, kSomeKernelAddress},       // CSTAR
    {0xc0000084, 0x47700},                  // FMASK
    {0xc0000100, kSomeKernelAddress},       // FS_BASE
    {0xc0000101, kSomeKernelAddress},       // GS_BASE
    {0xc0000102, kSomeKernelAddress},       // KERNEL_GS_BASE
    {0xc0000103, 77},                       // TSC_AUX
    {0x4b564d01, kPageForKvm | 1},          // KVM system time
    {0x4b564d02, (kPageForKvm + 64) | 1},   // KVM async page fault
    {0x4b564d03, (kPageForKvm + 128) | 1},  // KVM steal time
    {0x4b564d04, (kPageForKvm + 192) | 1},  // KVM PV EOI
    {0x4b564d05, 0},                        // KVM poll control
    {0x4b564d06, 0xf1},                     // KVM async page fault interrupt
};

/// A local APIC register, and a value that it can take without harm; 0: it is only looked at.
struct ApicRegister {
  std::uint32_t offset;
  std::uint32_t other_value;
};
constexpr ApicRegister kApicRegisters[] = {
    {local_apic::kId, 0},
    {local_apic::kSpurious, 0x1f7},
    {local_apic::kTaskPriority, 0x50},
    {local_apic::kLogicalDestination, 0x40000000},
    {local_apic::kDestinationFormat, 0x0fffffff},
    {local_apic::kErrorStatus, 0},
    {local_apic::kTimerDivide, 0xb},
    {local_apic::kTimer, 0x300f0},  // periodic, masked
    {local_apic::kTimer + 0x10, 0x100f1},
    {local_apic::kTimer + 0x20, 0x100f2},
    {local_apic::kLint0, 0x100f3},
    {local_apic::kLint1, 0x100f4},
    {local_apic::kError, 0x100f5},
    {local_apic::kTimerInitial, 0x7fffffff},
};

class Painter {
 public:
  explicit Painter(Portrait& portrait) : portrait_(portrait) { portrait_.count = 0; }

  void Add(const char* name, std::uint64_t number, std::uint64_t value, bool readable = true) {
    if (portrait_.count == Portrait::kMostFeatures) {
      Fail("a portrait has room for ", Portrait::kMostFeatures, " features only");
    }
    portrait_.features[portrait_.count++] = {name, number, readable, value};
  }

 private:
  Portrait& portrait_;
};

void AddEntryState(Painter& painter, const EntryState& entry) {
  const std::uint64_t registers[] = {
      entry.eax, entry.ecx, entry.edx, entry.ebx, entry.esp, entry.ebp, entry.esi, entry.edi,
      entry.r8,  entry.r9,  entry.r10, entry.r11, entry.r12, entry.r13, entry.r14, entry.r15};
  for (unsigned number = 0; number < 16; ++number) {
    painter.Add("general register", number, registers[number]);
  }
  painter.Add("CR", 0, entry.cr0);
  painter.Add("CR", 2, entry.cr2);
  painter.Add("CR", 3, entry.cr3);
  painter.Add("CR", 4, entry.cr4);
  painter.Add("EFER", 0, entry.efer);
}

void AddDebugRegisters(Painter& painter) {
  std::uint64_t value = 0;
  asm volatile("mov %%dr0, %0" : "=r"(value));
  painter.Add("DR", 0, value);
  asm volatile("mov %%dr1, %0" : "=r"(value));
  painter.Add("DR", 1, value);
  asm volatile("mov %%dr2, %0" : "=r"(value));
  painter.Add("DR", 2, value);
  asm volatile("mov %%dr3, %0" : "=r"(value));
  painter.Add("DR", 3, value);
  asm volatile("mov %%dr6, %0" : "=r"(value));
  painter.Add("DR", 6, value);
  asm volatile("mov %%dr7, %0" : "=r"(value));
  painter.Add("DR", 7, value);
}

}  // namespace

void Take(Portrait& portrait, const EntryState& entry) {
  Painter painter(portrait);
  AddEntryState(painter, entry);
  AddDebugRegisters(painter);
  for (const Msr& msr : kMsrs) {
    std::uint64_t value = 0;
    const bool readable = TryReadMsr(msr.number, value);
    painter.Add("MSR", msr.number, value, readable);
  }
  for (const ApicRegister& entry_of_apic : kApicRegisters) {
    painter.Add("local APIC register", entry_of_apic.offset,
                local_apic::Read(entry_of_apic.offset));
  }
  for (std::uint32_t offset = local_apic::kInService; offset < local_apic::kErrorStatus;
       offset += 0x10) {
    painter.Add("local APIC register", offset, local_apic::Read(offset));
  }
}

void ChangeAll() {
  for (const Msr& msr : kMsrs) {
    if (msr.other_value != 0) {
      TryWriteMsr(msr.number, msr.other_value);
    }
  }
  for (const ApicRegister& entry : kApicRegisters) {
    if (entry.other_value != 0) {
      local_apic::Write(entry.offset, entry.other_value);
    }
  }
  local_apic::RequestOfSelf(0x71);
  constexpr std::uint64_t kAddress = 0x123456;
  asm volatile("mov %0, %%dr0" : : "r"(kAddress));
  asm volatile("mov %0, %%dr1" : : "r"(kAddress + 1));
  asm volatile("mov %0, %%dr2" : : "r"(kAddress + 2));
  asm volatile("mov %0, %%dr3" : : "r"(kAddress + 3));
  asm volatile("mov %0, %%cr2" : : "r"(kAddress));
  // PGE and MCE; SCE beside what long mode needs.
  std::uint64_t cr4 = 0;
  asm volatile("mov %%cr4, %0" : "=r"(cr4));
  asm volatile("mov %0, %%cr4" : : "r"(cr4 | 0xc0));
  constexpr std::uint32_t kEfer = 0xc0000080;
  WriteMsr(kEfer, ReadMsr(kEfer) | 1);
}

void SpinWithChangedRegisters() {
  asm volatile(
      "movabs $0x0123456789abcdef, %rax\n"
      "mov %rax, %rbx\n mov %rax, %rcx\n mov %rax, %rdx\n mov %rax, %rsi\n mov %rax, %rdi\n"
      "mov %rax, %rbp\n mov %rax, %rsp\n"
      "mov %rax, %r8\n mov %rax, %r9\n mov %rax, %r10\n mov %rax, %r11\n mov %rax, %r12\n"
      "mov %rax, %r13\n mov %rax, %r14\n mov %rax, %r15\n"
      "1: pause\n"
      "jmp 1b\n");
  __builtin_unreachable();
}

}  // namespace tidevm::bare_metal
