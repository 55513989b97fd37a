// The MSRs whose writes tell the host that a CPU is online (vmm/vcpu/paravirt_msrs.h), and the
// other things that a guest can say as often as it likes.
#include <initializer_list>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/exceptions.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

// Linux Documentation/virt/kvm/x86/msr.rst.
constexpr std::uint32_t kAsyncPageFault = 0x4b564d02;
constexpr std::uint32_t kStealTime = 0x4b564d03;
constexpr std::uint32_t kPvEoi = 0x4b564d04;
constexpr std::uint64_t kEnable = 1;
constexpr std::uint64_t kFreePage = 0x12000;

constexpr std::uint32_t kFloods = 40000;

/// Up and down, and up at the end.
void ArmAndDisarm() {
  for (std::uint32_t i = 0; i < kFloods; ++i) {
    WriteMsr(kPvEoi, i % 2 == 0 ? 0 : kFreePage | kEnable);
  }
}

void HaltAfterArming(ApicId /*self*/) {
  ArmAndDisarm();
  Say("armed");
}

}  // namespace

// What KVM refuses is #GP, as on any KVM; what it takes is taken. Nothing else comes of it.
BARE_METAL_CASE(GarbageIsRefusedOrTaken) {
  constexpr std::uint64_t kGarbage[] = {
      0,
      kEnable,
      kFreePage,
      kFreePage | kEnable,
      ~std::uint64_t{0},
      ~std::uint64_t{0} << 6,
      (~std::uint64_t{0} << 6) | kEnable,
      0x8000000000000001,
      0x7fffffffffffffff,
      0xfee00000 | kEnable,          // the local APIC
      0xc0000000 | kEnable,          // nobody's
      0xfffffffffffff000 | kEnable,  // beyond any memory
      (32U << 20) | kEnable,         // just beyond this guest's
      ((32U << 20) - 8) | kEnable,   // half of it beyond
      0x5555555555555555,
      0xaaaaaaaaaaaaaaaa,
  };
  unsigned taken = 0;
  unsigned refused = 0;
  for (const std::uint32_t msr : {kAsyncPageFault, kStealTime, kPvEoi}) {
    for (const std::uint64_t value : kGarbage) {
      if (TryWriteMsr(msr, value)) {
        ++taken;
        std::uint64_t found = 0;
        Expect(TryReadMsr(msr, found), 1, "reading back MSR ", Hex{msr});
        Expect(found, value, "MSR ", Hex{msr});
      } else {
        ++refused;
      }
    }
    TryWriteMsr(msr, 0);
  }
  Say("taken ", taken, ", refused ", refused);
}

BARE_METAL_CASE(FloodOfOnlineAndOffline) {
  Say("ready");
  WaitForWord("go");
  StartProcessor(1, HaltAfterArming);
  ArmAndDisarm();
}

BARE_METAL_CASE(FloodOfOst) {
  Say("ready");
  WaitForWord("go");
  for (std::uint32_t i = 0; i < kFloods; ++i) {
    if (i % 1000 == 0) {
      hotplug::ReportOst(i / 1000 % 2, i, i);
    }
    hotplug::WriteData(i);  // a report each
  }
  hotplug::ReportOst(0, 0x1234, 0x5678);
}

}  // namespace tidevm::bare_metal
