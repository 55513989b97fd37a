// The command "next CPU with an event" over as many CPUs as the test says.
#include <initializer_list>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

void ExpectNone(std::uint32_t selected, const char* when) {
  const hotplug::Event event = hotplug::NextEvent();
  Expect(event.insert() || event.remove(), 0, "events ", when);
  Expect(event.cpu, selected, "selected CPU ", when);
}

/// Every CPU but the first has an insert event: each is found once, in order.
void AcceptAll(std::uint32_t cpus) {
  ExpectNone(0, "before");
  Say("ready");
  WaitForWord("plugged");
  for (std::uint32_t cpu = 1; cpu < cpus; ++cpu) {
    const hotplug::Event event = hotplug::NextEvent();
    Expect(event.cpu, cpu, "next CPU");
    Expect(event.flags, kFlagInsertEvent, "its flags");
    // Found again until it is acknowledged.
    Expect(hotplug::NextEvent().cpu, cpu, "next CPU, asked again");
    hotplug::WriteFlags(kFlagInsertEvent);
    Expect(hotplug::Flags(), kFlagPresent, "flags of CPU ", cpu, " after the acknowledgement");
    Expect(hotplug::ApicIdOf(cpu), cpu, "APIC id");
    hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  }
  ExpectNone(cpus - 1, "after the last");
}

}  // namespace

BARE_METAL_CASE(OfOneCpuFindsNothing) {
  ExpectNone(0, "of one CPU");
  hotplug::Select(7);
  hotplug::Command(kCommandNextWithEvent);
  Expect(hotplug::Flags(), 0, "flags out of range");
}

BARE_METAL_CASE(OfTwo) { AcceptAll(2); }
BARE_METAL_CASE(OfSixtyFour) { AcceptAll(64); }
BARE_METAL_CASE(OfAsManyAsThereCanBe) { AcceptAll(255); }

/// Insert events at 2, 5 and 7 of 8.
BARE_METAL_CASE(GoesRoundFromTheSelectedOneOn) {
  Say("ready");
  WaitForWord("plugged");
  struct {
    std::uint32_t from;
    std::uint32_t found;
  } constexpr kSteps[] = {{0, 2}, {2, 2}, {3, 5}, {5, 5}, {6, 7}, {7, 7}, {8, 2}, {0xffffffff, 2}};
  for (const auto& step : kSteps) {
    hotplug::Select(step.from);
    Expect(hotplug::NextEvent().cpu, step.found, "next CPU from ", step.from);
  }
  hotplug::WriteFlagsOf(7, kFlagInsertEvent);
  hotplug::Select(6);
  Expect(hotplug::NextEvent().cpu, 2, "next CPU from 6, round the end");
  hotplug::WriteFlagsOf(2, kFlagInsertEvent);
  hotplug::WriteFlagsOf(5, kFlagInsertEvent);
  ExpectNone(5, "after the last");
  for (const std::uint32_t cpu : {2U, 5U, 7U}) {
    hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  }
}

}  // namespace tidevm::bare_metal
