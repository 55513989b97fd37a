// The interrupt output: levels, priorities, and that an edge-triggered pin misses nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "vmm/devices/device_test_support.h"
#include "vmm/devices/uart.h"

namespace tidevm::devices {
namespace {

using namespace uart;

class UartInterruptTest : public testing::Test {
 protected:
  UartInterruptTest() {
    Out(kFifoControl, kFcrEnable | 0x80);  // trigger level 8, as Linux sets it
  }
  std::uint8_t In(std::uint64_t offset) { return ReadByte(*uart_, offset); }
  void Out(std::uint64_t offset, std::uint8_t value) { WriteByte(*uart_, offset, value); }
  unsigned Cause() { return In(kInterruptId) & 0x0fU; }
  void Fill() {
    const std::string text(Uart::kOutputCapacity - uart_->PeekOutput().size(), 'x');
    Print(*uart_, text);
  }

  RecordingLine line_;
  std::unique_ptr<Uart> uart_ = Uart::Create(line_).value();
};

TEST_F(UartInterruptTest, NothingWithoutAnEnableBit) {
  uart_->PushInput(AsBytes("abc"));
  Print(*uart_, "x");
  Out(kModemControl, kMcrLoop);
  EXPECT_EQ(line_.rises(), 0U);
  EXPECT_EQ(Cause(), kIirNone);
}

TEST_F(UartInterruptTest, TypedByteIsATimeOutUntilItIsRead) {
  Out(kInterruptEnable, kIerReceive);
  uart_->PushInput(AsBytes("a"));
  EXPECT_TRUE(line_.high());
  EXPECT_EQ(Cause(), kIirTimeout);
  EXPECT_EQ(Cause(), kIirTimeout) << "reading IIR does not clear it";
  In(kData);
  EXPECT_FALSE(line_.high());
  EXPECT_EQ(Cause(), kIirNone);
  EXPECT_EQ(line_.rises(), 1U);
}

TEST_F(UartInterruptTest, TriggerLevelTellsDataFromTimeOut) {
  struct Case {
    std::uint8_t bits;
    std::size_t level;
  };
  for (const auto& [bits, level] : {Case{0x00, 1}, Case{0x40, 4}, Case{0x80, 8}, Case{0xc0, 14}}) {
    Out(kFifoControl, kFcrEnable | kFcrClearReceive | bits);
    Out(kInterruptEnable, kIerReceive);
    for (std::size_t count = 1; count <= kFifoSize; ++count) {
      uart_->PushInput(AsBytes("x"));
      EXPECT_EQ(Cause(), count >= level ? kIirReceive : kIirTimeout) << count << " of " << level;
    }
  }
}

TEST_F(UartInterruptTest, WithoutFifosThereIsNoTimeOut) {
  Out(kFifoControl, 0);
  Out(kInterruptEnable, kIerReceive);
  uart_->PushInput(AsBytes("x"));
  EXPECT_EQ(In(kInterruptId), kIirReceive);
}

TEST_F(UartInterruptTest, EnablingAnEmptyTransmitterInterruptsEachTime) {
  for (int round = 0; round < 3; ++round) {
    Out(kInterruptEnable, kIerTransmit);
    EXPECT_EQ(line_.TakeRises(), 1U);
    EXPECT_EQ(Cause(), kIirTransmit);
    EXPECT_FALSE(line_.high()) << "reading IIR clears it";
    EXPECT_EQ(Cause(), kIirNone);
    Out(kInterruptEnable, kIerTransmit);
    EXPECT_EQ(line_.TakeRises(), 0U) << "already enabled: nothing new";
    Out(kInterruptEnable, 0);
  }
}

TEST_F(UartInterruptTest, EveryByteSentIsANewEdge) {
  Out(kInterruptEnable, kIerTransmit);
  line_.TakeRises();
  Print(*uart_, "a");
  EXPECT_EQ(line_.TakeRises(), 1U) << "though nobody read IIR";
  Cause();
  Print(*uart_, "b");
  EXPECT_EQ(line_.TakeRises(), 1U);
  EXPECT_TRUE(line_.high());
  Out(kInterruptEnable, 0);
  EXPECT_FALSE(line_.high());
}

TEST_F(UartInterruptTest, AFifosWorthAfterIirIsOneEdge) {
  Out(kInterruptEnable, kIerTransmit);
  EXPECT_EQ(Cause(), kIirTransmit);
  line_.TakeRises();
  Print(*uart_, "0123456789abcdef");
  EXPECT_EQ(line_.TakeRises(), 1U);
  Print(*uart_, "g");
  EXPECT_EQ(line_.TakeRises(), 1U);
}

TEST_F(UartInterruptTest, CausesComeInTheOrderOfTheirPriority) {
  Out(kModemControl, kMcrLoop);
  Out(kInterruptEnable, 0x0f);
  In(kModemStatus);
  Cause();
  Out(kModemControl, kMcrLoop | kMcrRts);
  Print(*uart_, "0123456789abcdef+");

  EXPECT_EQ(Cause(), kIirLineStatus);
  In(kLineStatus);
  EXPECT_EQ(Cause(), kIirReceive);
  for (std::size_t i = 0; i < 9; ++i) {
    In(kData);
  }
  EXPECT_EQ(Cause(), kIirTimeout);
  for (std::size_t i = 0; i < 7; ++i) {
    In(kData);
  }
  EXPECT_EQ(Cause(), kIirTransmit);
  EXPECT_EQ(Cause(), kIirModem);
  EXPECT_TRUE(line_.high());
  In(kModemStatus);
  EXPECT_EQ(Cause(), kIirNone);
  EXPECT_FALSE(line_.high());
}

// All four causes wait behind IER; let through one by one, each is one rise whatever is pending
// already, and taken away one by one, the line stays high until the last is gone.
TEST_F(UartInterruptTest, EachNewCauseIsAnEdgeInEveryOrder) {
  Out(kModemControl, kMcrLoop | kMcrRts);
  Print(*uart_, "0123456789abcdef+");
  std::array<std::uint8_t, 4> order{kIerReceive, kIerTransmit, kIerLineStatus, kIerModem};
  do {
    std::uint8_t enabled = 0;
    for (const std::uint8_t cause : order) {
      enabled ^= cause;
      Out(kInterruptEnable, enabled);
      EXPECT_TRUE(line_.high());
      EXPECT_EQ(line_.TakeRises(), 1U) << int{enabled};
    }
    for (const std::uint8_t cause : order) {
      enabled ^= cause;
      Out(kInterruptEnable, enabled);
      EXPECT_EQ(line_.high(), enabled != 0);
      EXPECT_EQ(line_.TakeRises(), 0U) << int{enabled};
    }
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(UartInterruptTest, EachEventIsAnEdgeWhileAnotherCauseIsPending) {
  Out(kInterruptEnable, 0x0f);
  EXPECT_EQ(line_.TakeRises(), 1U) << "transmitter empty";
  uart_->PushInput(AsBytes("x"));
  EXPECT_EQ(line_.TakeRises(), 1U) << "data available";
  uart_->PushInput(AsBytes("y"));
  EXPECT_EQ(line_.TakeRises(), 0U) << "more of the same";
  Out(kModemControl, kMcrLoop);
  EXPECT_EQ(line_.TakeRises(), 1U) << "modem lines";
  Print(*uart_, "0123456789abcd");
  EXPECT_EQ(line_.TakeRises(), 14U) << "transmitter empty, again and again";
  Print(*uart_, "+");
  EXPECT_EQ(line_.TakeRises(), 1U) << "overrun";
  EXPECT_EQ(Cause(), kIirLineStatus);
}

TEST_F(UartInterruptTest, WhatIsLeftInTheFifoIsANewEdge) {
  Out(kInterruptEnable, kIerReceive);
  uart_->PushInput(AsBytes("abc"));
  EXPECT_EQ(line_.TakeRises(), 1U);
  In(kData);
  EXPECT_EQ(line_.TakeRises(), 1U);
  In(kData);
  EXPECT_EQ(line_.TakeRises(), 1U);
  In(kData);
  EXPECT_EQ(line_.TakeRises(), 0U);
  EXPECT_FALSE(line_.high());
}

// A driver that handles one cause an interrupt and never looks whether more is pending, on an edge
// triggered pin. Harder than Linux, whose handler goes on until IIR says none.
TEST_F(UartInterruptTest, OneCauseAnInterruptLosesNothing) {
  const std::string input(70, 'i');
  const std::string output(100, 'o');
  std::string received;
  std::size_t sent = 0;
  Out(kInterruptEnable, kIerReceive | kIerTransmit);
  ASSERT_EQ(uart_->PushInput(AsBytes(input)), input.size());
  while (line_.rises() > 0) {
    line_.TakeRises();  // the pin's latch: any number of edges is one interrupt
    switch (Cause()) {
      case kIirReceive:
      case kIirTimeout:
        received.push_back(static_cast<char>(In(kData)));
        break;
      case kIirTransmit:
        if (sent < output.size()) {
          Out(kData, static_cast<std::uint8_t>(output[sent++]));
        }
        break;
      default:
        break;
    }
  }
  EXPECT_EQ(received, input);
  // Reading IIR for a byte received left "transmitter empty" pending, and the last byte read made
  // no edge; the next byte typed does.
  uart_->PushInput(AsBytes("!"));
  EXPECT_GE(line_.rises(), 1U);
}

// serial8250_interrupt() on an edge-triggered pin: goes on until IIR says none.
TEST_F(UartInterruptTest, LinuxHandlerMovesEverythingBothWays) {
  const std::string input(5000, 'i');
  const std::string output(50000, 'o');
  std::size_t pushed = 0;
  std::size_t sent = 0;
  std::string received;
  std::string seen;
  Out(kInterruptEnable, kIerReceive | kIerLineStatus | kIerTransmit);
  pushed += uart_->PushInput(AsBytes(input));
  while (line_.TakeRises() > 0) {
    while ((In(kInterruptId) & kIirNone) == 0) {
      std::uint8_t status = In(kLineStatus);
      while ((status & kLsrDataReady) != 0) {
        received.push_back(static_cast<char>(In(kData)));
        status = In(kLineStatus);
      }
      if ((status & kLsrTransmitEmpty) != 0 && (In(kInterruptEnable) & kIerTransmit) != 0) {
        for (std::size_t i = 0; i < kFifoSize && sent < output.size(); ++i) {
          Out(kData, static_cast<std::uint8_t>(output[sent++]));
        }
        if (sent == output.size()) {
          Out(kInterruptEnable, kIerReceive | kIerLineStatus);
        }
      }
    }
    pushed += uart_->PushInput(AsBytes(input).subspan(pushed));
    seen += TakeOutput(*uart_);
  }
  EXPECT_EQ(received.size(), input.size());
  EXPECT_EQ(seen.size(), output.size());
}

TEST_F(UartInterruptTest, FullRingIsSilentUntilThereIsRoom) {
  Out(kInterruptEnable, kIerTransmit);
  Fill();
  EXPECT_FALSE(line_.high());
  EXPECT_EQ(Cause(), kIirNone);
  EXPECT_EQ(In(kLineStatus) & (kLsrTransmitEmpty | kLsrTransmitterIdle), 0);
  Out(kInterruptEnable, 0);
  Out(kInterruptEnable, kIerTransmit);
  EXPECT_FALSE(line_.high()) << "enabling does not help either";
  line_.TakeRises();

  uart_->ConsumeOutput(Uart::kOutputResumeRoom - 1);
  EXPECT_FALSE(line_.high());
  uart_->ConsumeOutput(1);

  EXPECT_EQ(line_.rises(), 1U);
  EXPECT_EQ(Cause(), kIirTransmit);
  EXPECT_EQ(In(kLineStatus) & kLsrTransmitEmpty, kLsrTransmitEmpty);
}

TEST_F(UartInterruptTest, ResetLowersTheLine) {
  Out(kInterruptEnable, 0x0f);
  uart_->PushInput(AsBytes("x"));
  uart_->Reset();
  EXPECT_FALSE(line_.high());
}

}  // namespace
}  // namespace tidevm::devices
