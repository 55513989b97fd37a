// Processors that cannot go on.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/exceptions.h"
#include "guest-tests/bare-metal/runtime/processors.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal {

// Each life is as short as this.
BARE_METAL_CASE(TripleFaultsWithoutEnd) { TripleFault(); }

BARE_METAL_CASE(TripleFaultResetsTheMachine) {
  Say("alive");
  char word[16];
  ReadLine(word, sizeof word);
  if (IsSame(word, "fault")) {
    TripleFault();
  }
}

BARE_METAL_CASE(TripleFaultOfAnotherCpuResetsTheMachine) {
  Say("alive");
  char word[16];
  ReadLine(word, sizeof word);
  if (IsSame(word, "fault")) {
    StartProcessor(1, [](ApicId /*self*/) { TripleFault(); });
    HaltForEver();
  }
}

BARE_METAL_CASE(ExecutingWhereNothingIsEndsTheVm) {
  Say("alive");
  WaitForWord("go");
  reinterpret_cast<void (*)()>(layout::kMmioGapStart)();
}

}  // namespace tidevm::bare_metal
