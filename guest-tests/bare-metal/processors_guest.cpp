// Processors that are started by INIT and SIPI, and run.
#include <atomic>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/local_apic.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

constexpr std::uint32_t kNobody = 0xffffffff;
constinit std::atomic<std::uint32_t> arrival = kNobody;

/// The id is asked of two: the local APIC, and CPUID (Intel SDM, leaf 1).
void Arrive(ApicId self) {
  const ApicId by_cpuid = Cpuid(1).ebx >> 24;
  arrival.store(by_cpuid == self ? self : kNobody - 1);
}

void StartAndExpectArrival(ApicId apic_id) {
  arrival.store(kNobody);
  StartProcessor(apic_id, Arrive);
  while (arrival.load() == kNobody) {
    Pause();
  }
  Expect(arrival.load(), apic_id, "APIC id of the processor that arrived");
}

void AddAndStart() {
  const CpuId cpu = hotplug::AcceptInsert();
  StartAndExpectArrival(hotplug::ApicIdOf(cpu));
  hotplug::ReportOst(cpu, hotplug::kOstDeviceCheck, hotplug::kOstSuccess);
}

}  // namespace

BARE_METAL_CASE(EachOfTheBootingOnesRuns) {
  for (std::uint32_t cpu = 1; cpu < 4; ++cpu) {
    StartAndExpectArrival(hotplug::ApicIdOf(cpu));
  }
}

BARE_METAL_CASE(EachAddedOneRuns) {
  Say("ready");
  for (int i = 1; i < 8; ++i) {
    AddAndStart();
  }
}

BARE_METAL_CASE(AnAddedOneStartsThroughX2Apic) {
  constexpr std::uint32_t kHasX2Apic = 1U << 21;
  if ((Cpuid(1).ecx & kHasX2Apic) == 0) {
    Say("no x2APIC");
    return;
  }
  local_apic::EnterX2Mode();
  Say("ready");
  AddAndStart();
}

BARE_METAL_CASE(TheSameOneComesAndGoesAHundredTimes) {
  Say("ready");
  for (int round = 0; round < 100; ++round) {
    AddAndStart();
    hotplug::Eject(hotplug::AcceptRemove());
  }
}

}  // namespace tidevm::bare_metal
