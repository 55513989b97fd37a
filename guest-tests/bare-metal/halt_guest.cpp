// CPUs that halt with interrupts off, for ever.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

[[noreturn]] void HaltAll() {
  for (ApicId cpu = 1; cpu < 3; ++cpu) {
    StartProcessor(cpu, [](ApicId /*self*/) { HaltForEver(); });
  }
  Say("halted");
  HaltForEver();
}

}  // namespace

BARE_METAL_CASE(OfAllCpusLeavesTheHostInCommand) { HaltAll(); }
BARE_METAL_CASE(OfAllCpusCanBePausedAndReset) { HaltAll(); }

}  // namespace tidevm::bare_metal
