// Guests that do the steps of an add or a removal by halves, twice, or in another order.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

void WaitForFlags(std::uint8_t flags) {
  while (hotplug::NextEvent().flags != flags) {
    Pause();
  }
}

}  // namespace

BARE_METAL_CASE(OfARemovalWithoutEjectTimesOut) {
  Say("ready");
  hotplug::AcceptRemove();
  Say("acknowledged");
  WaitForWord("too late");
  hotplug::Eject(1);
  Expect(hotplug::Flags(), kFlagPresent, "flags after an ejection that comes too late");
  Say("still here");
  hotplug::Eject(hotplug::AcceptRemove());
  Expect(hotplug::Flags(), 0, "flags after the ejection that is in time");
}

BARE_METAL_CASE(OfARemovalIsNotNeededForEject) {
  Say("ready");
  WaitForFlags(kFlagPresent | kFlagRemoveEvent);
  hotplug::Eject(1);
  Expect(hotplug::Flags(), 0, "flags after the ejection");
}

BARE_METAL_CASE(OfARemovalAndEjectInOneWrite) {
  Say("ready");
  WaitForFlags(kFlagPresent | kFlagRemoveEvent);
  hotplug::WriteFlagsOf(1, kFlagRemoveEvent | kFlagEject);
  Expect(hotplug::Flags(), 0, "flags after the ejection");
}

BARE_METAL_CASE(OfNothingChangesNothing) {
  for (std::uint32_t cpu = 0; cpu < 8; ++cpu) {
    const std::uint8_t before = cpu < 2 ? kFlagPresent : 0;
    Expect(hotplug::FlagsOf(cpu), before, "flags of CPU ", cpu);
    hotplug::WriteFlags(kFlagInsertEvent);
    hotplug::WriteFlags(kFlagRemoveEvent);
    hotplug::WriteFlags(kFlagInsertEvent | kFlagRemoveEvent);
    Expect(hotplug::Flags(), before, "flags of CPU ", cpu, " after acknowledging nothing");
  }
}

BARE_METAL_CASE(OfAnInsertTwiceIsOnce) {
  Say("ready");
  WaitForFlags(kFlagInsertEvent);
  // Absent until the acknowledgement: a scan of _STA must not meet it unannounced.
  hotplug::WriteFlags(kFlagInsertEvent);
  hotplug::WriteFlags(kFlagInsertEvent);
  Expect(hotplug::Flags(), kFlagPresent, "flags after two acknowledgements");
  hotplug::ReportOst(1, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  WaitForWord("done");
  hotplug::WriteFlags(kFlagInsertEvent);
  Expect(hotplug::Flags(), kFlagPresent, "flags after a third one");
}

BARE_METAL_CASE(IsNeededBeforeOstProvesAnything) {
  Say("ready");
  WaitForFlags(kFlagInsertEvent);
  hotplug::ReportOst(1, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  Say("reported");
  WaitForWord("go on");
  hotplug::WriteFlagsOf(1, kFlagInsertEvent);
  hotplug::ReportOst(1, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
}

BARE_METAL_CASE(IsNeededBeforeOstRefusesARemoval) {
  Say("ready");
  WaitForFlags(kFlagPresent | kFlagRemoveEvent);
  hotplug::ReportOst(1, hotplug::kOstEjectRequest, hotplug::kOstFailure);
  Say("reported");
  WaitForWord("go on");
  hotplug::AcceptRemove();
  hotplug::ReportOst(1, hotplug::kOstEjectRequest, hotplug::kOstEjectInProgress);
  hotplug::ReportOst(1, hotplug::kOstEjectRequest, hotplug::kOstFailure);
  hotplug::Eject(1);
  Say("refused and ejected");
}

}  // namespace tidevm::bare_metal
