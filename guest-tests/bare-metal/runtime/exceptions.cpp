#include "guest-tests/bare-metal/runtime/exceptions.h"

#include <cstddef>

#include "guest-tests/bare-metal/runtime/serial.h"
#include "guest-tests/bare-metal/runtime/trampoline.h"

namespace tidevm::bare_metal {
namespace {

struct ExceptionFrame {
  std::uint64_t vector;
  std::uint64_t error_code;
  std::uint64_t rip;
  std::uint64_t cs;
  std::uint64_t rflags;
  std::uint64_t rsp;
  std::uint64_t ss;
};
static_assert(offsetof(ExceptionFrame, rsp) == EXCEPTION_FRAME_RSP);

/// An instruction that may fault, and where to go on then.
struct Recovery {
  std::uint64_t instruction;
  std::uint64_t go_on;
};
#define RECOVERY(instruction, go_on)         \
  ".pushsection recovery_table, \"a\"\n"     \
  ".balign 8\n.quad " instruction ", " go_on \
  "\n"                                       \
  ".popsection\n"

/// Intel SDM vol. 3A, figure 6-8.
struct Gate {
  std::uint16_t offset_low;
  std::uint16_t selector;
  std::uint16_t attributes;
  std::uint16_t offset_middle;
  std::uint32_t offset_high;
  std::uint32_t reserved;
};
static_assert(sizeof(Gate) == 16);
constexpr std::uint16_t kPresentInterruptGate = 0x8e00;

struct [[gnu::packed]] TablePointer {
  std::uint16_t limit;
  std::uint64_t base;
};

constexpr std::size_t kExceptions = 32;
constinit Gate table[kExceptions] = {};

void Load(const TablePointer& pointer) { asm volatile("lidt %0" : : "m"(pointer)); }

}  // namespace

// The linker makes the first two, around the section.
extern "C" const Recovery __start_recovery_table[];  // NOLINT(bugprone-reserved-identifier)
extern "C" const Recovery __stop_recovery_table[];   // NOLINT(bugprone-reserved-identifier)
extern "C" const char exception_stubs[];

/// From start.S. Returns where to go on.
extern "C" std::uint64_t HandleException(const ExceptionFrame& frame) {
  for (const Recovery* at = __start_recovery_table; at != __stop_recovery_table; ++at) {
    if (at->instruction == frame.rip) {
      return at->go_on;
    }
  }
  Fail("exception ", frame.vector, ", error code ", Hex{frame.error_code}, ", at ", Hex{frame.rip});
}

void LoadInterruptTable() {
  for (std::size_t vector = 0; vector < kExceptions; ++vector) {
    const auto stub =
        reinterpret_cast<std::uint64_t>(exception_stubs + vector * EXCEPTION_STUB_BYTES);
    table[vector] = {.offset_low = static_cast<std::uint16_t>(stub),
                     .selector = BOOT_CS,
                     .attributes = kPresentInterruptGate,
                     .offset_middle = static_cast<std::uint16_t>(stub >> 16),
                     .offset_high = static_cast<std::uint32_t>(stub >> 32),
                     .reserved = 0};
  }
  Load({.limit = sizeof table - 1, .base = reinterpret_cast<std::uint64_t>(table)});
}

// `failed` lives in RBX, which HandleException() keeps as any function does.
bool TryReadMsr(std::uint32_t msr, std::uint64_t& value) {
  std::uint32_t failed = 1;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  asm volatile(
      "1: rdmsr\n"
      "xor %%ebx, %%ebx\n"
      "2:\n" RECOVERY("1b", "2b")
      : "+b"(failed), "+c"(msr), "=a"(low), "=d"(high)
      :
      : "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
  if (failed == 0) {
    value = (high << 32) | static_cast<std::uint32_t>(low);
  }
  return failed == 0;
}

bool TryWriteMsr(std::uint32_t msr, std::uint64_t value) {
  std::uint32_t failed = 1;
  auto low = static_cast<std::uint32_t>(value);
  auto high = static_cast<std::uint32_t>(value >> 32);
  asm volatile(
      "1: wrmsr\n"
      "xor %%ebx, %%ebx\n"
      "2:\n" RECOVERY("1b", "2b")
      : "+b"(failed), "+c"(msr), "+a"(low), "+d"(high)
      :
      : "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
  return failed == 0;
}

void TripleFault() {
  Load({.limit = 0, .base = 0});
  while (true) {
    asm volatile("ud2");
  }
}

}  // namespace tidevm::bare_metal
