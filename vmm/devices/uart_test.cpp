// What a driver reads and writes. Interrupts: uart_interrupt_test.cpp; the host:
// uart_host_test.cpp.
#include "vmm/devices/uart.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

using namespace uart;

class UartTest : public testing::Test {
 protected:
  std::uint8_t In(std::uint64_t offset) { return ReadByte(*uart_, offset); }
  void Out(std::uint64_t offset, std::uint8_t value) { WriteByte(*uart_, offset, value); }
  std::string ReadAll() {
    std::string text;
    while ((In(kLineStatus) & kLsrDataReady) != 0) {
      text.push_back(static_cast<char>(In(kData)));
    }
    return text;
  }

  RecordingLine line_;
  std::unique_ptr<Uart> uart_ = Uart::Create(line_).value();
};

TEST_F(UartTest, ValuesAfterReset) {
  const auto expect_initial = [this] {
    EXPECT_EQ(In(kInterruptEnable), 0);
    EXPECT_EQ(In(kInterruptId), kIirNone);
    EXPECT_EQ(In(kLineControl), 0);
    EXPECT_EQ(In(kModemControl), 0);
    EXPECT_EQ(In(kLineStatus), 0x60);
    EXPECT_EQ(In(kModemStatus), 0xb0);
    EXPECT_FALSE(line_.high());
  };
  expect_initial();
  for (std::uint64_t offset = 1; offset < kBlockSize; ++offset) {
    Out(offset, 0x1f);
  }
  uart_->PushInput(AsBytes("typed"));
  uart_->Reset();
  expect_initial();
}

TEST_F(UartTest, WrittenAndReadBack) {
  struct Case {
    std::uint64_t offset;
    std::uint8_t kept;
  };
  for (const auto& [offset, kept] : {Case{kInterruptEnable, 0x0f}, Case{kLineControl, 0xff},
                                     Case{kModemControl, 0x1f}, Case{kScratch, 0xff}}) {
    for (unsigned value = 0; value < 256; ++value) {
      if (offset == kLineControl && (value & kLcrDivisorLatch) != 0) {
        continue;
      }
      Out(offset, static_cast<std::uint8_t>(value));
      EXPECT_EQ(In(offset), value & kept) << offset;
    }
  }
}

TEST_F(UartTest, ReadOnlyRegistersTakeNoWrite) {
  Out(kLineStatus, 0x1e);
  Out(kModemStatus, 0x0f);
  EXPECT_EQ(In(kLineStatus), 0x60);
  EXPECT_EQ(In(kModemStatus), 0xb0);
}

TEST_F(UartTest, DivisorLatchHidesDataAndInterruptEnable) {
  Out(kInterruptEnable, 0x05);
  Out(kLineControl, kLcrDivisorLatch | 0x03);
  EXPECT_EQ(In(kDivisorLow) | In(kDivisorHigh) << 8, 1) << "never 0: earlycon divides by it";
  Out(kDivisorLow, 0x0c);
  Out(kDivisorHigh, 0xab);
  EXPECT_EQ(In(kDivisorLow), 0x0c);
  EXPECT_EQ(In(kDivisorHigh), 0xab);
  Out(kLineControl, 0x03);
  EXPECT_EQ(In(kInterruptEnable), 0x05);
  EXPECT_EQ(TakeOutput(*uart_), "");
}

TEST_F(UartTest, EveryWidthAtEveryOffsetIsHarmless) {
  for (const std::size_t width : {1U, 2U, 4U, 8U}) {
    for (std::uint64_t offset = 0; offset < kBlockSize + 2; ++offset) {
      if (width == 1 && offset < kBlockSize) {
        continue;
      }
      uart_->Write(offset, std::vector<std::byte>(width, std::byte{0x03}));
      EXPECT_EQ(ReadWide(*uart_, offset, width), std::vector<std::byte>(width, std::byte{0xff}));
    }
  }
  EXPECT_EQ(TakeOutput(*uart_), "");
  EXPECT_EQ(In(kInterruptEnable), 0);
  EXPECT_EQ(In(kScratch), 0);
}

// drivers/tty/serial/8250/8250_port.c, autoconfig() and autoconfig_16550a(), step by step.
TEST_F(UartTest, LinuxFindsA16550A) {
  Out(kInterruptEnable, 0);
  EXPECT_EQ(In(kInterruptEnable) & 0x0f, 0);
  Out(kInterruptEnable, 0x0f);
  EXPECT_EQ(In(kInterruptEnable) & 0x0f, 0x0f);
  Out(kInterruptEnable, 0);
  Out(kModemControl, kMcrLoop | kMcrOut2 | kMcrRts);
  EXPECT_EQ(In(kModemStatus) & 0xf0, kMsrCarrier | kMsrCts);
  Out(kModemControl, 0);

  Out(kLineControl, 0xbf);  // 16650's way to its EFR, which is our FCR
  Out(kFifoControl, 0);
  Out(kLineControl, 0);
  Out(kFifoControl, kFcrEnable);
  EXPECT_EQ(In(kInterruptId) >> 6, 3) << "16550A: FIFOs that work";

  Out(kLineControl, 0x80);
  EXPECT_NE(In(kFifoControl), 0) << "0 would be a 16650";
  Out(kLineControl, 0xbf);
  EXPECT_NE(In(kFifoControl), 0) << "0 would be a 16850";
  Out(kLineControl, 0);
  const std::uint8_t modem = In(kModemControl);
  Out(kLineControl, 0xe0);
  EXPECT_EQ((In(kFifoControl) ^ modem) & kMcrLoop, 0) << "else a NatSemi Super I/O";
  Out(kLineControl, 0);

  Out(kFifoControl, kFcrEnable | 0x20);
  EXPECT_EQ(In(kInterruptId) >> 5, 6);
  Out(kLineControl, 0x80);
  Out(kFifoControl, kFcrEnable | 0x20);
  EXPECT_EQ(In(kInterruptId) >> 5, 6) << "7 would be a 16750";
  Out(kLineControl, 0);
  Out(kInterruptEnable, 0x40);
  EXPECT_EQ(In(kInterruptEnable) & 0x40, 0) << "else an XScale";
}

TEST_F(UartTest, InputComesOutInOrder) {
  Out(kFifoControl, kFcrEnable);
  const std::string text = "a line longer than the FIFO and than nothing else";
  EXPECT_EQ(uart_->PushInput(AsBytes(text)), text.size());
  EXPECT_EQ(ReadAll(), text);
  EXPECT_EQ(In(kData), 0) << "empty";
}

TEST_F(UartTest, WithoutFifosInputComesByteByByte) {
  uart_->PushInput(AsBytes("one by one"));
  EXPECT_EQ(In(kInterruptId) & 0xc0, 0);
  EXPECT_EQ(ReadAll(), "one by one");
}

TEST_F(UartTest, FifoControlNeedsItsEnableBitAndClearsOnChange) {
  Out(kFifoControl, kFcrEnable);
  uart_->PushInput(AsBytes("ab"));
  Out(kFifoControl, kFcrEnable | 0x80);
  EXPECT_EQ(In(kData), 'a') << "no clearing bit, no change: kept";
  Out(kFifoControl, kFcrEnable | kFcrClearReceive);
  EXPECT_EQ(ReadAll(), "");
  uart_->PushInput(AsBytes("c"));
  Out(kFifoControl, 0);
  EXPECT_EQ(ReadAll(), "") << "cleared by the change of mode";
  uart_->PushInput(AsBytes("d"));
  Out(kFifoControl, kFcrClearReceive);
  EXPECT_EQ(ReadAll(), "d") << "the bit does not count without FIFOs";
}

TEST_F(UartTest, ClearingTheFifoLeavesWhatIsStillOnTheWire) {
  Out(kFifoControl, kFcrEnable);
  uart_->PushInput(AsBytes("0123456789abcdefWIRE"));
  Out(kFifoControl, kFcrEnable | kFcrClearReceive);
  EXPECT_EQ(ReadAll(), "WIRE");
}

TEST_F(UartTest, LoopbackSendsToItselfAndHoldsTheWire) {
  Out(kFifoControl, kFcrEnable);
  Out(kModemControl, kMcrLoop);
  uart_->PushInput(AsBytes("from outside"));
  Print(*uart_, "inside");
  EXPECT_EQ(ReadAll(), "inside");
  EXPECT_EQ(TakeOutput(*uart_), "");
  Out(kModemControl, 0);
  EXPECT_EQ(ReadAll(), "from outside");
}

TEST_F(UartTest, OverrunKeepsTheFifoAndIsToldOnce) {
  Out(kFifoControl, kFcrEnable);
  Out(kModemControl, kMcrLoop);
  Print(*uart_, "0123456789abcdef");
  EXPECT_EQ(In(kLineStatus) & kLsrOverrun, 0);
  Print(*uart_, "x");
  EXPECT_NE(In(kLineStatus) & kLsrOverrun, 0);
  EXPECT_EQ(In(kLineStatus) & kLsrOverrun, 0);
  EXPECT_EQ(ReadAll(), "0123456789abcdef");
}

TEST_F(UartTest, OverrunWithoutFifosKeepsTheLastByte) {
  Out(kModemControl, kMcrLoop);
  Print(*uart_, "ab");
  EXPECT_EQ(In(kLineStatus) & (kLsrOverrun | kLsrDataReady), kLsrOverrun | kLsrDataReady);
  EXPECT_EQ(ReadAll(), "b");
}

TEST_F(UartTest, LoopbackModemLinesAndTheirDeltas) {
  struct Case {
    std::uint8_t before, after, status;
  };
  for (const auto& [before, after, status] : {
           Case{0x00, kMcrRts, kMsrCts | kMsrDeltaCts},
           Case{0x00, kMcrDtr, kMsrDsr | kMsrDeltaDsr},
           Case{0x00, kMcrOut1, kMsrRing},  // only its end counts
           Case{kMcrOut1, 0x00, kMsrTrailingRing},
           Case{0x00, kMcrOut2, kMsrCarrier | kMsrDeltaCarrier},
           Case{kMcrOut2, 0x00, kMsrDeltaCarrier},
           Case{0x0f, 0x0f, 0xf0},
       }) {
    Out(kModemControl, kMcrLoop | before);
    In(kModemStatus);
    Out(kModemControl, kMcrLoop | after);
    EXPECT_EQ(In(kModemStatus), status) << int{before} << " to " << int{after};
    EXPECT_EQ(In(kModemStatus), status & 0xf0) << "deltas are told once";
  }
}

}  // namespace
}  // namespace tidevm::devices
