#include "vmm/devices/serial_pump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

using namespace uart;
using namespace std::chrono_literals;

class SerialPumpTest : public testing::Test {
 protected:
  SerialPumpTest() {
    std::signal(SIGPIPE, SIG_IGN);
    WriteByte(*uart_, kFifoControl, kFcrEnable);
  }

  static std::array<UniqueFd, 2> MakePipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
  void Type(std::string_view text) const {
    ASSERT_EQ(::write(in_[1].get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Shown() const {
    std::string text(1 << 20, '\0');
    const ssize_t count = ::read(out_[0].get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  std::string GuestReads() {
    std::string text;
    while ((ReadByte(*uart_, kLineStatus) & kLsrDataReady) != 0) {
      text.push_back(static_cast<char>(ReadByte(*uart_, kData)));
    }
    return text;
  }

  RecordingLine line_;
  std::unique_ptr<Uart> uart_ = Uart::Create(line_).value();
  std::array<UniqueFd, 2> in_ = MakePipe();
  std::array<UniqueFd, 2> out_ = MakePipe();
  SerialBackend backend_ = SerialBackend::FromDescriptors(in_[0].get(), out_[1].get());
};

TEST_F(SerialPumpTest, CarriesBothWays) {
  std::string tapped;
  SerialPump pump(*uart_, backend_, {},
                  [&](std::span<const std::byte> output) { tapped += AsText(output); });
  Print(*uart_, "login: ");
  pump.OnWake();
  EXPECT_EQ(Shown(), "login: ");
  EXPECT_EQ(tapped, "login: ");
  EXPECT_EQ(pump.write_fd(), -1);

  EXPECT_EQ(pump.read_fd(), backend_.input_fd());
  Type("root\n");
  pump.OnReady();
  EXPECT_EQ(GuestReads(), "root\n");
}

TEST_F(SerialPumpTest, FilterDecidesWhatTheGuestGets) {
  SerialPump pump(*uart_, backend_,
                  [](std::span<const std::byte> from_host, std::vector<std::byte>& input) {
                    for (const std::byte value : from_host) {
                      if (value != std::byte{'x'}) {
                        input.push_back(value);
                      }
                    }
                  },
                  {});
  Type("axbx");
  pump.OnReady();
  EXPECT_EQ(GuestReads(), "ab");
}

TEST_F(SerialPumpTest, GuestWithoutRoomStopsTheReadingAndLosesNothing) {
  SerialPump pump(*uart_, backend_, {}, {});
  std::string typed;
  for (int i = 0; i < 1000; ++i) {
    typed.push_back(static_cast<char>('a' + i % 26));
  }
  Type(typed);
  pump.OnReady();
  EXPECT_EQ(pump.read_fd(), -1);
  std::string received;
  for (int turn = 0; turn < 100 && received.size() < typed.size(); ++turn) {
    received += GuestReads();
    pump.OnWake();
  }
  EXPECT_EQ(received, typed);
  EXPECT_EQ(pump.read_fd(), backend_.input_fd());
}

TEST_F(SerialPumpTest, SlowReaderIsWaitedForWithoutLoss) {
  SerialPump pump(*uart_, backend_, {}, {});
  const std::string text(Uart::kOutputCapacity - 100, 'x');
  Print(*uart_, text);
  pump.OnWake();
  EXPECT_EQ(pump.write_fd(), backend_.output_fd());
  std::size_t shown = 0;
  while (shown < text.size()) {
    shown += Shown().size();
    pump.OnReady();
  }
  EXPECT_EQ(pump.write_fd(), -1);
}

TEST_F(SerialPumpTest, FlushEndsWithTheLastByteOrTheTimeOut) {
  SerialPump pump(*uart_, backend_, {}, {});
  const std::string text(Uart::kOutputCapacity - 100, 'x');
  Print(*uart_, text);
  EXPECT_FALSE(pump.Flush(30ms)) << "nobody reads";

  std::size_t shown = 0;
  std::thread reader([&] {
    while (shown < text.size()) {
      shown += Shown().size();
    }
  });
  EXPECT_TRUE(pump.Flush(20s));
  reader.join();
}

TEST_F(SerialPumpTest, GoneReaderNeitherStopsTheGuestNorTheEnd) {
  SerialPump pump(*uart_, backend_, {}, {});
  out_[0].Reset();
  Print(*uart_, std::string(1000, 'x'));
  pump.OnWake();
  EXPECT_EQ(pump.write_fd(), -1);
  Print(*uart_, std::string(1000, 'x'));
  EXPECT_TRUE(pump.Flush(0ms));
}

TEST_F(SerialPumpTest, MuchOutputIsTakenInPartsAndAskedForAgain) {
  SerialBackend null = SerialBackend::Open("null").value();
  std::size_t seen = 0;
  SerialPump pump(*uart_, null, {},
                  [&](std::span<const std::byte> output) { seen += output.size(); });
  Print(*uart_, std::string(200000, 'x'));
  pump.OnWake();
  EXPECT_GT(seen, 0U);
  EXPECT_LT(seen, 200000U);
  EXPECT_EQ(pump.write_fd(), -1) << "there is nothing to wait for, but the wake-up";
  EXPECT_TRUE(pump.Flush(0ms));
  EXPECT_EQ(seen, 200000U);
}

TEST_F(SerialPumpTest, EndOfInputIsTakenOutOfTheLoop) {
  SerialPump pump(*uart_, backend_, {}, {});
  Type("bye");
  in_[1].Reset();
  pump.OnReady();
  EXPECT_EQ(GuestReads(), "bye");
  EXPECT_EQ(pump.read_fd(), -1);
}

}  // namespace
}  // namespace tidevm::devices
