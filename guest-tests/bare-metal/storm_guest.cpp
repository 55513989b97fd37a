// Some CPUs hammer the hotplug registers with whatever comes to their mind, all the time, while the
// host adds and removes others. Among it are acknowledgements, ejections and reports of the CPUs
// that the host is busy with.
#include <atomic>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

constinit std::atomic<bool> calm = false;
constinit std::atomic<unsigned> storming = 0;

/// Xorshift: Marsaglia, "Xorshift RNGs", 2003.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  std::uint64_t state_;
};

void AccessAnything(std::uint64_t random) {
  const auto port = static_cast<std::uint16_t>(kBasePort + (random >> 8) % kBlockSize);
  const auto value = static_cast<std::uint32_t>(random >> 32);
  switch (random % 6) {
    case 0:
      return Out(port, static_cast<std::uint8_t>(value));
    case 1:
      return Out(port, static_cast<std::uint16_t>(value));
    case 2:
      return Out(port, value);
    case 3:
      In<std::uint8_t>(port);
      return;
    case 4:
      In<std::uint16_t>(port);
      return;
    default:
      In<std::uint32_t>(port);
      return;
  }
}

/// Mostly near enough to sense that something comes of it.
void DoAnything(std::uint64_t random) {
  const auto value = static_cast<std::uint32_t>(random >> 32);
  switch ((random >> 3) % 8) {
    case 0:
      return hotplug::Select(value % 10);
    case 1:
      return hotplug::WriteFlags(static_cast<std::uint8_t>(value % 16));
    case 2:
      return hotplug::Command(static_cast<std::uint8_t>(value % 5));
    case 3:
      return hotplug::WriteData(value % 4);
    case 4:
      hotplug::NextEvent();
      return;
    case 5:
      return hotplug::ReportOst(value % 10, 1 + 2 * ((value >> 8) % 2), (value >> 16) % 3);
    default:
      return AccessAnything(random);
  }
}

void Storm(ApicId self) {
  Random random(0x9e3779b97f4a7c15 * (self + 1));
  storming.fetch_add(1);
  while (!calm.load()) {
    DoAnything(random.Next());
  }
  storming.fetch_sub(1);
}

}  // namespace

BARE_METAL_CASE(OverTheRegistersLeavesAWorkingMachine) {
  for (ApicId cpu = 1; cpu < 3; ++cpu) {
    StartProcessor(cpu, Storm);
  }
  Say("storm");
  WaitForWord("enough");
  calm.store(true);
  while (storming.load() != 0) {
    Pause();
  }
  Say("calm");
  hotplug::ServeUntil("end");
}

}  // namespace tidevm::bare_metal
