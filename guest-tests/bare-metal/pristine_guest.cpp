// A vCPU that is removed and added again must be as new, whatever was done to it in its former life
// and while it was parked.
#include <atomic>
#include <initializer_list>

#include "guest-tests/bare-metal/portrait.h"
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/local_apic.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "guest-tests/bare-metal/runtime/trampoline.h"

namespace tidevm::bare_metal {
namespace {

constinit Portrait first_life = {};
constinit Portrait at_its_end = {};
constinit Portrait second_life = {};
constinit std::atomic<bool> finished = false;

[[noreturn]] void LiveFirstLife(ApicId /*self*/) {
  Take(first_life, LastEntryState());
  ChangeAll();
  Take(at_its_end, LastEntryState());
  finished.store(true);
  SpinWithChangedRegisters();
}

// The host has seen in the first life that this guest arms KVM's paravirtual MSRs, and waits for
// it.
void LiveSecondLife(ApicId /*self*/) {
  Take(second_life, LastEntryState());
  constexpr std::uint32_t kPvEoi = 0x4b564d04;
  WriteMsr(kPvEoi, ReadMsr(kPvEoi) | 1);
  finished.store(true);
}

void StartAndFinish(ApicId target, ProcessorFunction function) {
  finished.store(false);
  StartProcessor(target, function);
  while (!finished.load()) {
    Pause();
  }
}

unsigned Differences(const Portrait& a, const Portrait& b) {
  unsigned count = 0;
  for (unsigned i = 0; i < a.count; ++i) {
    count += a.features[i] == b.features[i] ? 0 : 1;
  }
  return count;
}

void ExpectSame(const Portrait& expected, const Portrait& found) {
  for (unsigned i = 0; i < expected.count; ++i) {
    const Feature& feature = expected.features[i];
    Expect(found.features[i].readable, feature.readable, "whether ", feature.name, " ",
           Hex{feature.number}, " can be read");
    Expect(found.features[i].value, feature.value, feature.name, " ", Hex{feature.number});
  }
}

/// The first life, up to the removal.
ApicId LiveOnce() {
  SetTrap();
  Say("ready");
  const CpuId cpu = hotplug::AcceptInsert();
  const ApicId target = hotplug::ApicIdOf(cpu);
  StartAndFinish(target, LiveFirstLife);
  hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  Say("changed ", Differences(first_life, at_its_end), " of ", first_life.count);
  hotplug::Eject(hotplug::AcceptRemove());
  WaitForWord("parked");
  return target;
}

/// The second life. Before it the test lets the vCPU run, should it want to.
void LiveAgain() {
  Say("for the second life");
  const CpuId cpu = hotplug::AcceptInsert();
  Say("added");
  WaitForWord("go on");
  Expect(ProcessorsInTrap(), 0, "processors that started unasked");
  StartAndFinish(hotplug::ApicIdOf(cpu), LiveSecondLife);
  Expect(ProcessorsInTrap(), 0, "processors that started at the wrong place");
  ExpectSame(first_life, second_life);
  hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
}

}  // namespace

BARE_METAL_CASE(AfterALifeThatChangedAll) {
  LiveOnce();
  LiveAgain();
}

BARE_METAL_CASE(AfterAnInitWhileParked) {
  local_apic::SendInit(LiveOnce());
  LiveAgain();
}

BARE_METAL_CASE(AfterInitAndSipiWhileParked) {
  const ApicId target = LiveOnce();
  for (int round = 0; round < 3; ++round) {
    local_apic::SendInit(target);
    local_apic::SendStartup(target, TRAP_BASE >> 12);
    local_apic::SendStartup(target, TRAP_BASE >> 12);
  }
  LiveAgain();
}

// The same for one that never lived.
BARE_METAL_CASE(AfterInitAndSipiBeforeItsFirstLife) {
  SetTrap();
  for (const ApicId target : {1U, 2U, 3U, 200U}) {
    local_apic::SendInit(target);
    local_apic::SendStartup(target, TRAP_BASE >> 12);
  }
  LiveAgain();  // and is compared with nothing: the first portrait is empty
}

}  // namespace tidevm::bare_metal
