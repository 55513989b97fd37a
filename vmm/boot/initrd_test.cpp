#include "vmm/boot/initrd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_test_util.h"
#include "vmm/boot/test_images.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using ::testing::HasSubstr;

constexpr Gpa kKernelEnd = 20 * kMiB + 1;
constexpr Gpa kLastAddress = 0x7fffffff;

class InitrdTest : public ::testing::Test {
 protected:
  GuestMemory memory_ = GuestMemory::Create(64 * kMiB).value();
};

/// Claims a size without having the bytes, for what must be refused before they are read.
class HugeSource final : public ByteSource {
 public:
  explicit HugeSource(std::uint64_t size) : size_(size) {}
  std::uint64_t Size() const override { return size_; }
  Result<void> Read(std::uint64_t /*offset*/, std::span<std::byte> /*out*/) const override {
    ADD_FAILURE() << "read although it does not fit";
    return {};
  }

 private:
  std::uint64_t size_;
};

TEST_F(InitrdTest, LiesAtTheHighestPageThatHoldsIt) {
  const Bytes content = test::Pattern(5000);
  const auto range = LoadInitrd(memory_, MemorySource(content), kKernelEnd, kLastAddress);
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(*range, (GpaRange{.start = 64 * kMiB - 8192, .size = 5000}));
  const auto loaded = memory_.At(range->start, range->size).value();
  EXPECT_TRUE(std::equal(loaded.begin(), loaded.end(), content.begin()));
}

TEST_F(InitrdTest, StaysBelowTheLastAddressTheKernelTakes) {
  const auto range = LoadInitrd(memory_, MemorySource(test::Pattern(4097)), kKernelEnd, 0x1ffffff);
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(range->start, 32 * kMiB - 8192);
}

TEST_F(InitrdTest, ALastAddressOfAllOnesIsNoLimit) {
  const auto range = LoadInitrd(memory_, MemorySource(test::Pattern(1)), kKernelEnd, ~Gpa{0});
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(range->start, 64 * kMiB - 4096);
}

TEST_F(InitrdTest, MayFillAllThatTheKernelLeaves) {
  const Bytes content(43 * kMiB + kMiB - 4096);
  const auto range = LoadInitrd(memory_, MemorySource(content), kKernelEnd, kLastAddress);
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(range->start, 20 * kMiB + 4096);
}

TEST_F(InitrdTest, LargerThanMemorySaysHowMuchWouldDo) {
  const auto range = LoadInitrd(memory_, HugeSource(200 * kMiB), kKernelEnd, kLastAddress);
  ASSERT_FALSE(range);
  EXPECT_EQ(range.error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(range.error().message,
            "it has 200 MiB, and of the guest's 64 MiB there are 46,133,248 bytes free for it "
            "above the kernel; give at least --memory 221M");
}

TEST_F(InitrdTest, MoreMemoryIsNotAdvisedWhereItWouldNotHelp) {
  const auto range = LoadInitrd(memory_, HugeSource(4096 * kMiB), kKernelEnd, kLastAddress);
  ASSERT_FALSE(range);
  EXPECT_THAT(range.error().message, HasSubstr("below 0x80000000); make a smaller one"));
  const auto wrap = LoadInitrd(memory_, HugeSource(~0ULL), kKernelEnd, kLastAddress);
  ASSERT_FALSE(wrap);
  EXPECT_THAT(wrap.error().message, HasSubstr("make a smaller one"));
}

TEST_F(InitrdTest, ALastAddressBelowTheKernelLeavesNoRoom) {
  const auto range = LoadInitrd(memory_, HugeSource(1), kKernelEnd, 0x100000);
  ASSERT_FALSE(range);
  EXPECT_THAT(range.error().message, HasSubstr("takes one of up to 0 bytes only"));
}

TEST_F(InitrdTest, AnEmptyFileIsAMistake) {
  const auto range = LoadInitrd(memory_, MemorySource({}), kKernelEnd, kLastAddress);
  ASSERT_FALSE(range);
  EXPECT_EQ(range.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidevm::boot
