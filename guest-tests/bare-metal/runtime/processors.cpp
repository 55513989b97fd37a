#include "guest-tests/bare-metal/runtime/processors.h"

#include <atomic>
#include <cstddef>

#include "guest-tests/bare-metal/runtime/exceptions.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/local_apic.h"
#include "guest-tests/bare-metal/runtime/memory.h"
#include "guest-tests/bare-metal/runtime/trampoline.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal {
namespace {

/// In the trampoline's page, for the processor that is on its way.
struct TrampolineData {
  std::uint64_t page_tables;
  std::uint64_t stack_top;
  EntryState entry;
};
static_assert(TRAMPOLINE_DATA + offsetof(TrampolineData, page_tables) == TRAMPOLINE_CR3);
static_assert(TRAMPOLINE_DATA + offsetof(TrampolineData, stack_top) == TRAMPOLINE_STACK);
static_assert(TRAMPOLINE_DATA + offsetof(TrampolineData, entry) == TRAMPOLINE_ENTRY);
static_assert(offsetof(EntryState, efer) == 48 && offsetof(EntryState, r8) == 56);

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPageTablesOfVmm = 6;
static_assert(TRAMPOLINE_BASE >= layout::kPageTables + kPageTablesOfVmm * kPage);
static_assert(TRAP_BASE + kPage <= layout::kCommandLine);

constexpr std::size_t kMostProcessors = 256;
constexpr std::size_t kStackSize = 4096;
alignas(16) constinit std::uint8_t stacks[kMostProcessors][kStackSize] = {};

// One processor at a time is on its way.
constinit ProcessorFunction function_to_run = nullptr;
constinit std::atomic<bool> arrived = false;

TrampolineData& Data() {
  return *reinterpret_cast<TrampolineData*>(std::uint64_t{TRAMPOLINE_BASE + TRAMPOLINE_DATA});
}

volatile std::uint32_t& TrapCount() {
  return *reinterpret_cast<volatile std::uint32_t*>(std::uint64_t{TRAP_BASE + TRAP_COUNT});
}

void Copy(std::uint64_t to, const char* begin, const char* end) {
  memcpy(reinterpret_cast<void*>(to), begin, static_cast<std::size_t>(end - begin));
}

}  // namespace

extern "C" const char trampoline_begin[];
extern "C" const char trampoline_end[];
extern "C" const char trap_begin[];
extern "C" const char trap_end[];

/// From trampoline.S.
extern "C" [[noreturn]] void ProcessorMain() {
  LoadInterruptTable();
  const ProcessorFunction function = function_to_run;
  const ApicId self = local_apic::Id();
  arrived.store(true);
  function(self);
  HaltForEver();
}

void StartProcessor(ApicId target, ProcessorFunction function) {
  Copy(TRAMPOLINE_BASE, trampoline_begin, trampoline_end);
  TrampolineData& data = Data();
  data = {};
  asm volatile("mov %%cr3, %0" : "=r"(data.page_tables));
  data.stack_top = reinterpret_cast<std::uint64_t>(stacks[target] + kStackSize);
  function_to_run = function;
  arrived.store(false);
  local_apic::SendInit(target);
  local_apic::SendStartup(target, TRAMPOLINE_BASE / kPage);
  while (!arrived.load()) {
    Pause();
  }
}

const EntryState& LastEntryState() { return Data().entry; }

void SetTrap() {
  Copy(TRAP_BASE, trap_begin, trap_end);
  TrapCount() = 0;
}

std::uint32_t ProcessorsInTrap() { return TrapCount(); }

}  // namespace tidevm::bare_metal
