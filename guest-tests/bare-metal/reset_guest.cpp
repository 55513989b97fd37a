// Guests that reset themselves.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

[[noreturn]] void Reset() {
  while (true) {
    Out8(layout::kPowerPort + layout::kResetOffset, layout::kResetValue);
  }
}

void Report(const char* what) { Say(what, hotplug::FlagsOf(0), ",", hotplug::FlagsOf(1)); }

}  // namespace

/// In its first life the guest notices the removal of CPU 1, and resets.
BARE_METAL_CASE(InTheMiddleOfARemovalCompletesIt) {
  Report("flags ");
  char word[16];
  ReadLine(word, sizeof word);
  if (IsSame(word, "remove")) {
    hotplug::AcceptRemove();
    Reset();
  }
  hotplug::ServeUntil("end");
}

/// In its first life it never looks, and in its second it finds CPU 1 waiting.
BARE_METAL_CASE(InTheMiddleOfAnAddLeavesItToTheNewGuest) {
  Report("flags ");
  char word[16];
  ReadLine(word, sizeof word);
  if (IsSame(word, "reset")) {
    Reset();
  }
  hotplug::ServeUntil("end");
}

BARE_METAL_CASE(ByAnotherCpu) {
  Say("alive");
  char word[16];
  ReadLine(word, sizeof word);
  if (IsSame(word, "reset")) {
    StartProcessor(1, [](ApicId /*self*/) { Reset(); });
    HaltForEver();
  }
}

/// By all CPUs at once, as often as they get to it.
BARE_METAL_CASE(WithoutEnd) {
  for (ApicId cpu = 1; cpu < 3; ++cpu) {
    StartProcessor(cpu, [](ApicId /*self*/) { Reset(); });
  }
  Reset();
}

BARE_METAL_CASE(OnlyByItsValue) {
  for (unsigned value = 0; value <= 0xff; ++value) {
    if (value != layout::kResetValue) {
      Out8(layout::kPowerPort + layout::kResetOffset, static_cast<std::uint8_t>(value));
    }
  }
  Out<std::uint16_t>(layout::kPowerPort + layout::kResetOffset, layout::kResetValue);
  Out<std::uint32_t>(layout::kPowerPort, 0x06060606);
}

}  // namespace tidevm::bare_metal
