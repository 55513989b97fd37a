#include "vmm/boot/guest_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_test_util.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

using ::testing::HasSubstr;

TEST(SizeText, GroupsDigitsAndNamesWholeMebibytes) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(13631488), "13,631,488");
  EXPECT_EQ(SizeText(0), "0 bytes");
  EXPECT_EQ(SizeText(2048 * kMiB), "2,048 MiB");
  EXPECT_EQ(SizeText(kMiB + 1), "1,048,577 bytes");
  EXPECT_EQ(MebibytesFor(kMiB), 1U);
  EXPECT_EQ(MebibytesFor(kMiB + 1), 2U);
}

TEST(GuestMemory, UpToTheGapIsOneRegion) {
  for (const std::uint64_t size : {128 * kMiB, 3 * kGiB}) {
    const auto memory = GuestMemory::Create(size);
    ASSERT_TRUE(memory);
    ASSERT_EQ(memory->regions().size(), 1U);
    EXPECT_EQ(memory->regions()[0].base, 0U);
    EXPECT_EQ(memory->regions()[0].host.size(), size);
    EXPECT_EQ(memory->LowRamEnd(), size);
  }
}

TEST(GuestMemory, BeyondTheGapGoesOnAtFourGiB) {
  for (const std::uint64_t size : {3 * kGiB + 4096, 6 * kGiB}) {
    const auto memory = GuestMemory::Create(size);
    ASSERT_TRUE(memory);
    ASSERT_EQ(memory->regions().size(), 2U);
    EXPECT_EQ(memory->LowRamEnd(), layout::kMmioGapStart);
    EXPECT_EQ(memory->regions()[1].base, layout::kMmioGapEnd);
    EXPECT_EQ(memory->regions()[1].host.size(), size - 3 * kGiB);
    EXPECT_EQ(memory->size(), size);
  }
}

TEST(GuestMemory, LiesInHugePagesAsItDoesForTheGuest) {
  for (const std::uint64_t size : {33 * kMiB, 3 * kGiB + 4096, 6 * kGiB}) {
    const auto memory = GuestMemory::Create(size);
    ASSERT_TRUE(memory);
    for (const GuestMemory::Region& region : memory->regions()) {
      const auto host = reinterpret_cast<std::uint64_t>(region.host.data());
      EXPECT_EQ((host - region.base) % GuestMemory::kHugePageSize, 0U) << SizeText(size);
    }
  }
}

TEST(GuestMemory, TakesNoMoreAddressesThanItsSize) {
  const auto memory = GuestMemory::Create(33 * kMiB);
  ASSERT_TRUE(memory);
  const auto begin = reinterpret_cast<std::uint64_t>(memory->regions()[0].host.data());
  const std::string mapping = fmt::format("{:x}-{:x} ", begin, begin + 33 * kMiB);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  bool found = false;
  while (std::getline(maps, line)) {
    found = found || line.starts_with(mapping);
  }
  EXPECT_TRUE(found) << mapping;
}

TEST(GuestMemory, RefusesSizesThatMakeNoGuest) {
  const auto small = GuestMemory::Create(16 * kMiB);
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(small.error().message, HasSubstr("16 MiB is too small, the least is 32 MiB"));
  const auto odd = GuestMemory::Create(64 * kMiB + 1);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(odd.error().message, HasSubstr("67,108,865 bytes"));
}

TEST(GuestMemory, MoreThanTheHostHasAddressesForNamesBothSizes) {
  const auto memory = GuestMemory::Create(1ULL << 62);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().sys_errno, ENOMEM);
  EXPECT_THAT(memory.error().message, HasSubstr("cannot reserve 4,398,046,511,104 MiB"));
  EXPECT_THAT(memory.error().message, HasSubstr("smaller --memory"));
}

TEST(GuestMemory, AtStaysInsideOneRegion) {
  const auto memory = GuestMemory::Create(4 * kGiB);
  ASSERT_TRUE(memory);
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(memory->At(0, 3 * kGiB));
  EXPECT_TRUE(memory->At(layout::kMmioGapStart, 0));
  EXPECT_TRUE(memory->At(5 * kGiB - 1, 1));
  EXPECT_FALSE(memory->At(3 * kGiB - 1, 2)) << "into the gap";
  EXPECT_FALSE(memory->At(3 * kGiB - 1, kGiB + 2)) << "across the gap";
  EXPECT_FALSE(memory->At(layout::kIoApic, 1));
  EXPECT_FALSE(memory->At(5 * kGiB, 1));
  EXPECT_FALSE(memory->At(1, kMax)) << "a sum that wraps";
  EXPECT_FALSE(memory->At(kMax, 2));
  const auto outside = memory->At(5 * kGiB, 4096);
  EXPECT_EQ(outside.error().message,
            "4,096 bytes at 0x140000000 are not inside guest RAM (4,096 MiB)");
}

TEST(GuestMemory, WritesBothSidesOfTheGapAndClears) {
  auto memory = GuestMemory::Create(4 * kGiB);
  ASSERT_TRUE(memory);
  constexpr std::array kBytes = {std::byte{1}, std::byte{2}};
  const Gpa places[] = {0, layout::kMmioGapStart - 2, layout::kMmioGapEnd, 5 * kGiB - 2};
  for (const Gpa place : places) {
    ASSERT_TRUE(memory->Write(place, kBytes));
    EXPECT_EQ((*memory->At(place, 2))[1], std::byte{2});
  }
  EXPECT_FALSE(memory->Write(5 * kGiB - 1, kBytes));
  ASSERT_TRUE(memory->Clear());
  for (const Gpa place : places) {
    EXPECT_EQ((*memory->At(place, 2))[1], std::byte{0});
  }
}

TEST(GuestMemory, MovingKeepsTheBytes) {
  auto first = GuestMemory::Create(64 * kMiB);
  ASSERT_TRUE(first);
  const std::byte* const host = first->regions()[0].host.data();
  const GuestMemory second = *std::move(first);
  EXPECT_EQ(second.At(0, 1)->data(), host);
}

}  // namespace
}  // namespace tidevm::boot
