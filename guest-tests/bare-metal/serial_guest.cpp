// Floods of serial output that nobody reads for a while. As the line to the test is what is
// flooded, the guest tells it through _OST reports how far it is.
#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "guest-tests/bare-metal/runtime/uart.h"

namespace tidevm::bare_metal {
namespace {

constexpr unsigned kDigits = 7;
static_assert(kDigits + 1 <= uart::kFifoSize);

bool IsReady() { return (In8(uart::kLineStatus) & uart::kTransmitterReady) != 0; }

/// The number in hexadecimal, as a line that fits into the transmitter's FIFO.
void PutLine(std::uint32_t number) {
  for (unsigned digit = kDigits; digit > 0; --digit) {
    Out8(uart::kData,
         static_cast<std::uint8_t>("0123456789abcdef"[(number >> (4 * (digit - 1))) % 16]));
  }
  Out8(uart::kData, '\n');
}

void Report(std::uint32_t what) { hotplug::ReportOst(0, what, 0); }

constexpr std::uint32_t kWaits = 0x100;
constexpr std::uint32_t kWritten = 0x101;
constexpr std::uint32_t kLines = 64 * 1024;  // half a MiB

void Flood() {
  bool waited = false;
  for (std::uint32_t line = 0; line < kLines; ++line) {
    while (!IsReady()) {
      if (!waited) {
        waited = true;
        Report(kWaits);
      }
      Pause();
    }
    PutLine(line);
  }
  Expect(waited, 1, "it had to wait");
}

}  // namespace

/// More lines than host and VMM have room for; ready again and again only because somebody reads.
BARE_METAL_CASE(ThatMindsTheTransmitterLosesNothing) { Flood(); }
BARE_METAL_CASE(DoesNotKeepTheVmFromEnding) { Flood(); }

/// As many, and without a look at the transmitter.
BARE_METAL_CASE(ThatMindsNothingLosesTheRestOnly) {
  for (std::uint32_t line = 0; line < kLines; ++line) {
    PutLine(line);
  }
  Report(kWritten);
  while (!IsReady()) {
    Pause();
  }
  PutLine(kLines);
}

}  // namespace tidevm::bare_metal
