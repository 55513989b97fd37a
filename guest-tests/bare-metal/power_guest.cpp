// The ports of power and panic.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal {
namespace {

constexpr std::uint16_t kSleepControl = layout::kPowerPort + layout::kSleepControlOffset;
constexpr std::uint8_t kSleep = layout::kSleepEnableBit;
constexpr std::uint8_t kPowerOff =
    kSleep | static_cast<std::uint8_t>(layout::kSleepTypeS5 << layout::kSleepTypeShift);

// QEMU docs/specs/pvpanic.rst.
constexpr std::uint8_t kPanicked = 1;
constexpr std::uint8_t kCrashLoaded = 2;

}  // namespace

BARE_METAL_CASE(OffByS5) {
  Say("alive");
  WaitForWord("go");
  Out8(kSleepControl, kPowerOff);
  HaltForEver();
}

BARE_METAL_CASE(StaysOnByAnythingElse) {
  for (unsigned value = 0; value <= 0xff; ++value) {
    const bool is_off =
        (value & kSleep) != 0 && ((value >> layout::kSleepTypeShift) & 7) == layout::kSleepTypeS5;
    if (!is_off) {
      Out8(kSleepControl, static_cast<std::uint8_t>(value));
    }
    Out8(layout::kPowerPort + layout::kSleepStatusOffset, static_cast<std::uint8_t>(value));
    Out8(layout::kPowerPort + layout::kPowerButtonOffset, static_cast<std::uint8_t>(value));
  }
  Out<std::uint16_t>(kSleepControl, kPowerOff);
  Out<std::uint32_t>(kSleepControl, 0x01010100U * kPowerOff | kPowerOff);
  Expect(In8(layout::kPowerPort + layout::kPowerButtonOffset), 0, "power button");
}

BARE_METAL_CASE(PanicEndsTheVm) {
  Say("alive");
  WaitForWord("go");
  Out8(layout::kPvpanicPort, kPanicked);
  HaltForEver();
}

BARE_METAL_CASE(PanicOfAKernelWithACrashKernelDoesNot) {
  for (int i = 0; i < 10000; ++i) {
    Out8(layout::kPvpanicPort, kCrashLoaded);
  }
}

BARE_METAL_CASE(PanicPortIgnoresWhatItDoesNotKnow) {
  Expect(In8(layout::kPvpanicPort), kPanicked | kCrashLoaded, "what the panic port knows");
  for (unsigned value = 0; value <= 0xff; value += 4) {
    Out8(layout::kPvpanicPort, static_cast<std::uint8_t>(value));
  }
  Out<std::uint16_t>(layout::kPvpanicPort, kPanicked);
  Out<std::uint32_t>(layout::kPvpanicPort, kPanicked);
  Out<std::uint16_t>(layout::kPvpanicPort - 1, kPanicked << 8);
}

}  // namespace tidevm::bare_metal
