// The machine thread's side of the serial port.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "vmm/devices/device_test_support.h"
#include "vmm/devices/uart.h"

namespace tidevm::devices {
namespace {

using namespace uart;

bool Woken(const Uart& uart, int timeout_ms) {
  pollfd wake{.fd = uart.wake_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wake, 1, timeout_ms) == 1;
}

class UartHostTest : public testing::Test {
 protected:
  static constexpr int kSoon = 5000;  // for a wake-up that must come
  static constexpr int kNever = 20;   // for one that must not

  RecordingLine line_;
  std::unique_ptr<Uart> uart_ = Uart::Create(line_).value();
};

TEST_F(UartHostTest, OutputArrivesInOrder) {
  Print(*uart_, "hello, ");
  Print(*uart_, "world");
  EXPECT_EQ(TakeOutput(*uart_), "hello, world");
}

TEST_F(UartHostTest, OneWakeUpForMuchOutput) {
  EXPECT_FALSE(Woken(*uart_, kNever));
  Print(*uart_, "many characters");
  EXPECT_TRUE(Woken(*uart_, kSoon));
  uart_->AcknowledgeWake();
  Print(*uart_, " and more, which was not taken yet");
  EXPECT_FALSE(Woken(*uart_, kNever)) << "the host knows of it";

  EXPECT_EQ(TakeOutput(*uart_), "many characters and more, which was not taken yet");

  Print(*uart_, "x");
  EXPECT_TRUE(Woken(*uart_, kSoon));
}

TEST_F(UartHostTest, RequestedWakeUpComes) {
  uart_->RequestWake();
  EXPECT_TRUE(Woken(*uart_, kSoon));
  uart_->AcknowledgeWake();
  uart_->AcknowledgeWake();  // harmless
  EXPECT_FALSE(Woken(*uart_, kNever));
}

TEST_F(UartHostTest, InputIsBoundedAndRoomIsAnnounced) {
  WriteByte(*uart_, kFifoControl, kFcrEnable);
  const std::string text(200, 'i');
  EXPECT_EQ(uart_->PushInput(AsBytes(text)), kFifoSize + Uart::kBacklogCapacity);
  EXPECT_EQ(uart_->PushInput(AsBytes(text)), 0U);
  EXPECT_FALSE(Woken(*uart_, kNever));
  for (std::size_t i = 0; i < Uart::kBacklogCapacity / 2; ++i) {
    ReadByte(*uart_, kData);
  }
  EXPECT_TRUE(Woken(*uart_, kSoon));
  uart_->AcknowledgeWake();
  EXPECT_EQ(uart_->PushInput(AsBytes(text).first(10)), 10U);
  while ((ReadByte(*uart_, kLineStatus) & kLsrDataReady) != 0) {
    ReadByte(*uart_, kData);
  }
  EXPECT_FALSE(Woken(*uart_, kNever)) << "all was taken: nobody waits for room";
}

TEST_F(UartHostTest, ResetDropsInputAnnouncesRoomAndKeepsOutput) {
  Print(*uart_, "last words");
  ASSERT_EQ(TakeOutput(*uart_), "last words");
  Print(*uart_, "Restarting system");
  EXPECT_TRUE(Woken(*uart_, kSoon));
  uart_->AcknowledgeWake();
  uart_->PushInput(AsBytes(std::string(200, 'i')));
  uart_->Reset();
  EXPECT_TRUE(Woken(*uart_, kSoon));
  EXPECT_EQ(ReadByte(*uart_, kLineStatus) & kLsrDataReady, 0);
  EXPECT_EQ(TakeOutput(*uart_), "Restarting system");
}

TEST_F(UartHostTest, DriverThatMindsThreLosesNothingToASlowHost) {
  const std::size_t total = Uart::kOutputCapacity * 2;
  std::size_t sent = 0;
  std::string taken;
  while (taken.size() < total) {
    while (sent < total && (ReadByte(*uart_, kLineStatus) & kLsrTransmitEmpty) != 0) {
      for (std::size_t i = 0; i < kFifoSize && sent < total; ++i, ++sent) {
        WriteByte(*uart_, kData, static_cast<std::uint8_t>(sent % 251));
      }
    }
    const auto output = uart_->PeekOutput();
    const std::size_t count = std::min<std::size_t>(output.size(), 9000);
    taken += AsText(output.first(count));
    uart_->ConsumeOutput(count);
  }
  EXPECT_EQ(uart_->dropped_output(), 0U);
  for (std::size_t i = 0; i < total; ++i) {
    ASSERT_EQ(static_cast<unsigned char>(taken[i]), i % 251) << i;
  }
}

TEST_F(UartHostTest, DriverThatDoesNotMindThreIsCounted) {
  Print(*uart_, std::string(Uart::kOutputCapacity + 5, 'x'));
  EXPECT_EQ(uart_->dropped_output(), 5U);
  EXPECT_EQ(TakeOutput(*uart_).size(), Uart::kOutputCapacity);
}

TEST_F(UartHostTest, FullRingSurvivesAReset) {
  Print(*uart_, std::string(Uart::kOutputCapacity, 'x'));
  uart_->Reset();
  EXPECT_EQ(ReadByte(*uart_, kLineStatus) & kLsrTransmitEmpty, 0);
  EXPECT_EQ(TakeOutput(*uart_).size(), Uart::kOutputCapacity);
  EXPECT_EQ(ReadByte(*uart_, kLineStatus) & kLsrTransmitEmpty, kLsrTransmitEmpty);
}

// For TSan, and that nothing is lost or doubled between threads.
TEST_F(UartHostTest, TwoVcpusHammerWhileTheHostDrains) {
  constexpr std::size_t kEach = 20000;
  WriteByte(*uart_, kFifoControl, kFcrEnable);
  WriteByte(*uart_, kInterruptEnable, 0x0f);
  std::atomic<int> running{2};
  std::atomic<std::size_t> received{0};
  const auto vcpu = [&](std::uint8_t letter) {
    for (std::size_t i = 0; i < kEach; ++i) {
      WriteByte(*uart_, kData, letter);
      ReadByte(*uart_, kInterruptId);
      if (letter == 'a' && (ReadByte(*uart_, kLineStatus) & kLsrDataReady) != 0) {
        ReadByte(*uart_, kData);
        ++received;
      }
      ReadByte(*uart_, kModemStatus);
      WriteByte(*uart_, kScratch, letter);
    }
    --running;
  };
  std::thread first(vcpu, 'a');
  std::thread second(vcpu, 'b');
  std::string output;
  std::size_t pushed = 0;
  while (running > 0 || Woken(*uart_, 20)) {
    if (Woken(*uart_, 1)) {
      uart_->AcknowledgeWake();
    }
    output += TakeOutput(*uart_);
    pushed += uart_->PushInput(AsBytes("input"));
  }
  first.join();
  second.join();
  output += TakeOutput(*uart_);
  while ((ReadByte(*uart_, kLineStatus) & kLsrDataReady) != 0) {
    ReadByte(*uart_, kData);
    ++received;
  }
  EXPECT_EQ(std::ranges::count(output, 'a'), static_cast<std::ptrdiff_t>(kEach));
  EXPECT_EQ(std::ranges::count(output, 'b'), static_cast<std::ptrdiff_t>(kEach));
  EXPECT_EQ(received, pushed);
}

}  // namespace
}  // namespace tidevm::devices
