#include "vmm/devices/pvpanic_device.h"

#include <gtest/gtest.h>

#include <vector>

#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

class CountingPanics final : public PanicEvents {
 public:
  void OnPanicked() override { ++panics; }
  void OnCrashLoaded() override { ++crash_loads; }
  int panics = 0;
  int crash_loads = 0;
};

TEST(PvpanicDeviceTest, SaysWhatItSupports) {
  CountingPanics events;
  PvpanicDevice device(events);
  EXPECT_EQ(ReadByte(device, 0), 0x03);
}

TEST(PvpanicDeviceTest, WritesBecomeEvents) {
  struct Case {
    std::uint8_t value;
    int panics, crash_loads;
  };
  for (const auto& [value, panics, crash_loads] :
       {Case{0, 0, 0}, Case{1, 1, 0}, Case{2, 0, 1}, Case{3, 1, 0}, Case{4, 0, 0},
        Case{0xff, 1, 0}}) {
    CountingPanics events;
    PvpanicDevice device(events);
    WriteByte(device, 0, value);
    EXPECT_EQ(events.panics, panics) << int{value};
    EXPECT_EQ(events.crash_loads, crash_loads) << int{value};
  }
}

TEST(PvpanicDeviceTest, OddWidthsDoNothing) {
  CountingPanics events;
  PvpanicDevice device(events);
  for (const std::size_t width : {2U, 4U, 8U}) {
    EXPECT_EQ(ReadWide(device, 0, width), std::vector<std::byte>(width, std::byte{0xff}));
    device.Write(0, std::vector<std::byte>(width, std::byte{1}));
  }
  EXPECT_EQ(events.panics, 0);
}

}  // namespace
}  // namespace tidevm::devices
