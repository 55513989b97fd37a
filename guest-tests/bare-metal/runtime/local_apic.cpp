#include "guest-tests/bare-metal/runtime/local_apic.h"

#include "guest-tests/bare-metal/runtime/instructions.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal::local_apic {
namespace {

constexpr std::uint32_t kMsrApicBase = 0x1b;
constexpr std::uint64_t kX2Enable = 1U << 10;
constexpr std::uint32_t kMsrFirst = 0x800;
// Intel SDM vol. 3A, figure 10-12.
constexpr std::uint32_t kInit = 0x4500;  // level, asserted
constexpr std::uint32_t kStartup = 0x4600;
constexpr std::uint32_t kFixedToSelf = 0x44000;
constexpr unsigned kDestinationShift = 24;

void Command(ApicId target, std::uint32_t what) {
  if (IsX2()) {
    WriteMsr(kMsrFirst + kCommandLow / 16, (std::uint64_t{target} << 32) | what);
  } else {
    Write(kCommandHigh, target << kDestinationShift);
    Write(kCommandLow, what);
  }
}

}  // namespace

bool IsX2() { return (ReadMsr(kMsrApicBase) & kX2Enable) != 0; }
void EnterX2Mode() { WriteMsr(kMsrApicBase, ReadMsr(kMsrApicBase) | kX2Enable); }

std::uint32_t Read(std::uint32_t offset) {
  return IsX2() ? static_cast<std::uint32_t>(ReadMsr(kMsrFirst + offset / 16))
                : ReadMemory<std::uint32_t>(layout::kLocalApic + offset);
}

void Write(std::uint32_t offset, std::uint32_t value) {
  if (IsX2()) {
    WriteMsr(kMsrFirst + offset / 16, value);
  } else {
    WriteMemory(layout::kLocalApic + offset, value);
  }
}

ApicId Id() { return IsX2() ? Read(kId) : Read(kId) >> kDestinationShift; }

void SendInit(ApicId target) { Command(target, kInit); }
void SendStartup(ApicId target, std::uint32_t page) { Command(target, kStartup | page); }
void RequestOfSelf(std::uint8_t vector) { Command(0, kFixedToSelf | vector); }

}  // namespace tidevm::bare_metal::local_apic
