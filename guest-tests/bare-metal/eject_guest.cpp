// Ejections: those that the host asked for, and those that it did not.
#include <atomic>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

constexpr unsigned kMostCpus = 8;
constinit std::atomic<std::uint64_t> turns[kMostCpus] = {};

[[noreturn]] void SpinAndCount(ApicId self) {
  while (true) {
    turns[self].fetch_add(1);
  }
}

// The registers are one processor's at a time.
constinit std::atomic<bool> registers_free = false;

[[noreturn]] void EjectItself(ApicId /*self*/) {
  while (!registers_free.load()) {
    Pause();
  }
  hotplug::Eject(hotplug::AcceptRemove());
  while (true) {
    Pause();
  }
}

void WaitUntilItCounts(ApicId cpu) {
  const std::uint64_t before = turns[cpu].load();
  while (turns[cpu].load() == before) {
    Pause();
  }
}

void AddAndStart(ProcessorFunction function) {
  const CpuId cpu = hotplug::AcceptInsert();
  StartProcessor(hotplug::ApicIdOf(cpu), function);
  hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
}

/// A CPU with this to do is removed by the boot CPU, and its test says when it must be gone.
void RemoveWhileItDoes(ProcessorFunction function) {
  Say("ready");
  AddAndStart(function);
  hotplug::Eject(hotplug::AcceptRemove());
  // At once, not when its thread is gone: Linux looks right after _EJ0.
  Expect(hotplug::Flags(), 0, "flags after the ejection");
  WaitForWord("gone");
}

}  // namespace

BARE_METAL_CASE(OfASpinningCpuWithInterruptsOff) {
  RemoveWhileItDoes(SpinAndCount);
  const std::uint64_t before = turns[1].load();
  Expect(before != 0, 1, "it had run");
  for (int i = 0; i < 10000; ++i) {
    Pause();
  }
  Expect(turns[1].load(), before, "turns after its end");
}

BARE_METAL_CASE(OfAHaltedCpuWithInterruptsOff) {
  RemoveWhileItDoes([](ApicId /*self*/) { HaltForEver(); });
}

BARE_METAL_CASE(OfACpuThatWasNeverStarted) {
  Say("ready");
  hotplug::ReportOst(hotplug::AcceptInsert(), hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
  hotplug::Eject(hotplug::AcceptRemove());
  Expect(hotplug::Flags(), 0, "flags after the ejection");
  WaitForWord("gone");
}

BARE_METAL_CASE(OfItself) {
  Say("ready");
  AddAndStart(EjectItself);
  registers_free.store(true);
  WaitForWord("gone");
  Expect(hotplug::FlagsOf(1), 0, "flags of the CPU that ejected itself");
  Say("looked");
  AddAndStart(SpinAndCount);
  WaitUntilItCounts(1);
}

BARE_METAL_CASE(TwiceIsOnce) {
  Say("ready");
  AddAndStart(SpinAndCount);
  const CpuId cpu = hotplug::AcceptRemove();
  hotplug::Eject(cpu);
  hotplug::Eject(cpu);
  Say("ejected twice");
  WaitForWord("gone");
  hotplug::Eject(cpu);
  AddAndStart(SpinAndCount);
  WaitUntilItCounts(1);
  // What was authorised was the removal before.
  hotplug::Eject(cpu);
  Expect(hotplug::Flags(), kFlagPresent, "flags after an ejection that nobody asked for");
  WaitUntilItCounts(1);
}

BARE_METAL_CASE(IsVerifiedBeforeTheNextInsertIsSeen) {
  Say("ready");
  AddAndStart(SpinAndCount);
  hotplug::WriteFlagsOf(hotplug::AcceptRemove(), cpu_hotplug::kFlagEject);
  WaitForWord("plugged again");
  for (int i = 0; i < 100; ++i) {
    const hotplug::Event event = hotplug::NextEvent();
    Expect(event.insert() || event.remove(), 0, "an event before the guest has looked");
  }
  // What was never shown cannot be acknowledged.
  hotplug::WriteFlags(cpu_hotplug::kFlagInsertEvent);
  Expect(hotplug::FlagsOf(1), 0, "flags at the first look, which is for the ejection");
  Expect(hotplug::FlagsOf(1), cpu_hotplug::kFlagInsertEvent, "flags at the second");
  Say("looked");
  AddAndStart(SpinAndCount);
  WaitUntilItCounts(1);
}

BARE_METAL_CASE(OfCpu0IsIgnored) {
  for (unsigned flags = 0; flags <= 0xff; ++flags) {
    hotplug::WriteFlagsOf(0, static_cast<std::uint8_t>(flags));
    Expect(hotplug::Flags(), kFlagPresent, "flags after writing ", flags);
  }
}

BARE_METAL_CASE(UnaskedIsIgnoredForEveryId) {
  for (ApicId cpu = 1; cpu < 4; ++cpu) {
    StartProcessor(cpu, SpinAndCount);
  }
  for (std::uint32_t cpu = 0; cpu < 2 * kMostCpus; ++cpu) {
    hotplug::Eject(cpu);
    hotplug::WriteFlagsOf(cpu, 0xff);
    Expect(hotplug::Flags(), cpu < 4 ? kFlagPresent : 0, "flags of CPU ", cpu);
  }
  for (ApicId cpu = 1; cpu < 4; ++cpu) {
    WaitUntilItCounts(cpu);
  }
}

BARE_METAL_CASE(OfACpuThatIsBeingAddedIsIgnored) {
  Say("ready");
  while (!hotplug::NextEvent().insert()) {
    Pause();
  }
  hotplug::Eject(1);
  Expect(hotplug::Flags(), kFlagInsertEvent, "flags before the acknowledgement");
  hotplug::WriteFlags(kFlagInsertEvent);
  hotplug::Eject(1);
  Expect(hotplug::Flags(), kFlagPresent, "flags after the acknowledgement");
  hotplug::ReportOst(1, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
}

}  // namespace tidevm::bare_metal
