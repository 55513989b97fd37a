#include "vmm/devices/power_device.h"

#include <gtest/gtest.h>

#include <vector>

#include "tidevm/guest_layout.h"
#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

class CountingEvents final : public PowerEvents {
 public:
  void OnPowerOff() override { ++power_offs; }
  void OnReset() override { ++resets; }
  int power_offs = 0;
  int resets = 0;
};

class PowerDeviceTest : public testing::Test {
 protected:
  CountingEvents events_;
  RecordingLine line_;
  PowerDevice device_{events_, line_};
};

TEST_F(PowerDeviceTest, OnlyEnabledSoftOffPowersOff) {
  for (unsigned value = 0; value < 256; ++value) {
    const int before = events_.power_offs;
    WriteByte(device_, layout::kSleepControlOffset, static_cast<std::uint8_t>(value));
    const bool soft_off = (value & 0x20) != 0 && ((value >> 2) & 7) == 5;
    EXPECT_EQ(events_.power_offs - before, soft_off ? 1 : 0) << value;
  }
  EXPECT_EQ(events_.resets, 0);
}

TEST_F(PowerDeviceTest, OnlyTheResetValueResets) {
  for (unsigned value = 0; value < 256; ++value) {
    WriteByte(device_, layout::kResetOffset, static_cast<std::uint8_t>(value));
    EXPECT_EQ(events_.resets, value >= layout::kResetValue ? 1 : 0) << value;
  }
  EXPECT_EQ(events_.power_offs, 0);
}

TEST_F(PowerDeviceTest, SleepStatusReadsZeroAndTakesTheClearingWrite) {
  WriteByte(device_, layout::kSleepStatusOffset, 0x80);
  EXPECT_EQ(ReadByte(device_, layout::kSleepStatusOffset), 0);
}

TEST_F(PowerDeviceTest, PressRaisesTheLineUntilItIsRead) {
  EXPECT_EQ(ReadByte(device_, layout::kPowerButtonOffset), 0);
  device_.PressPowerButton();
  device_.PressPowerButton();
  EXPECT_TRUE(line_.high());
  EXPECT_EQ(line_.rises(), 1U);

  EXPECT_EQ(ReadByte(device_, layout::kPowerButtonOffset), 1);

  EXPECT_FALSE(line_.high());
  EXPECT_EQ(ReadByte(device_, layout::kPowerButtonOffset), 0);
  device_.PressPowerButton();
  EXPECT_EQ(line_.rises(), 2U);
}

TEST_F(PowerDeviceTest, ResetForgetsThePress) {
  device_.PressPowerButton();
  device_.Reset();
  EXPECT_FALSE(line_.high());
  EXPECT_EQ(ReadByte(device_, layout::kPowerButtonOffset), 0);
}

TEST_F(PowerDeviceTest, OddWidthsDoNothing) {
  device_.PressPowerButton();
  for (const std::size_t width : {2U, 4U, 8U}) {
    for (std::uint64_t offset = 0; offset < 4; ++offset) {
      EXPECT_EQ(ReadWide(device_, offset, width), std::vector<std::byte>(width, std::byte{0xff}));
      device_.Write(offset, std::vector<std::byte>(width, std::byte{layout::kResetValue}));
      device_.Write(offset, std::vector<std::byte>(width, std::byte{0x34}));
    }
  }
  EXPECT_TRUE(line_.high());
  EXPECT_EQ(events_.power_offs + events_.resets, 0);
}

}  // namespace
}  // namespace tidevm::devices
