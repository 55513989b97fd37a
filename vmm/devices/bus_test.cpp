#include "vmm/devices/bus.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace tidevm::devices {
namespace {

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

class FakeDevice final : public IoDevice {
 public:
  std::string_view Name() const override { return "fake"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override {
    for (std::byte& value : data) {
      value = static_cast<std::byte>(offset);
    }
  }
  void Write(std::uint64_t offset, std::span<const std::byte> data) override {
    writes.emplace_back(offset, data.size());
  }
  std::vector<std::pair<std::uint64_t, std::size_t>> writes;
};

TEST(BusTest, DispatchesWithTheOffsetFromTheBase) {
  FakeDevice device;
  Bus bus;
  ASSERT_TRUE(bus.Add(0x3f8, 8, device));
  std::array<std::byte, 1> value{};

  EXPECT_TRUE(bus.Read(0x3ff, value));
  EXPECT_TRUE(bus.Write(0x3f8, value));

  EXPECT_EQ(value[0], std::byte{7});
  ASSERT_EQ(device.writes.size(), 1U);
  EXPECT_EQ(device.writes[0].first, 0U);
}

TEST(BusTest, AccessOutsideOrAcrossTheEdgeIsAnOpenBus) {
  FakeDevice device;
  Bus bus;
  ASSERT_TRUE(bus.Add(0x10, 4, device));
  for (const std::size_t width : {1U, 2U, 4U, 8U}) {
    for (std::uint64_t address = 0; address < 0x20; ++address) {
      std::vector<std::byte> data(width);
      const bool inside = address >= 0x10 && address + width <= 0x14;
      EXPECT_EQ(bus.Read(address, data), inside) << address << " width " << width;
      EXPECT_EQ(bus.Write(address, data), inside) << address << " width " << width;
      EXPECT_EQ(data.back(), inside ? static_cast<std::byte>(address - 0x10) : std::byte{0xff});
    }
  }
}

TEST(BusTest, EmptyBusIsOpen) {
  const Bus bus;
  std::array<std::byte, 4> data{};
  EXPECT_FALSE(bus.Read(0, data));
  EXPECT_FALSE(bus.Write(kTop, data));
}

TEST(BusTest, RefusesRangesThatMeet) {
  FakeDevice device;
  struct Case {
    std::uint64_t base, size;
    bool fits;
  };
  for (const auto& [base, size, fits] : {
           Case{0x100, 0x10, false},   // the same
           Case{0x0ff, 2, false},      // over the beginning
           Case{0x10f, 1, false},      // the last port
           Case{0x0f0, 0x100, false},  // around
           Case{0x104, 4, false},      // inside
           Case{0x110, 1, true},       // right after
           Case{0x0ff, 1, true},       // right before
           Case{0, 0x100, true},       // up to it
           Case{0, kTop, false},       // nearly everything
           Case{kTop, 1, true},        // the very last address
       }) {
    Bus bus;
    ASSERT_TRUE(bus.Add(0x100, 0x10, device));
    const auto added = bus.Add(base, size, device);
    EXPECT_EQ(added.has_value(), fits) << base << "+" << size;
    if (!added) {
      EXPECT_EQ(added.error().code, ErrorCode::kBusy);
    }
  }
}

TEST(BusTest, RefusesEmptyAndWrappingRanges) {
  FakeDevice device;
  Bus bus;
  EXPECT_EQ(bus.Add(5, 0, device).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bus.Add(kTop, 2, device).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bus.Add(2, kTop, device).error().code, ErrorCode::kInvalidArgument);
}

TEST(BusTest, LastAddressIsReached) {
  FakeDevice device;
  Bus bus;
  ASSERT_TRUE(bus.Add(kTop - 3, 4, device));
  std::array<std::byte, 1> one{};
  std::array<std::byte, 2> two{};
  EXPECT_TRUE(bus.Read(kTop, one));
  EXPECT_FALSE(bus.Read(kTop, two));
}

}  // namespace
}  // namespace tidevm::devices
