// A guest to load kernels into, and what every test asks about the outcome.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "vmm/boot/byte_source.h"
#include "vmm/boot/guest_memory.h"
#include "vmm/boot/kernel_image.h"
#include "vmm/boot/test_images.h"

namespace tidevm::boot::test {

class KernelFixture : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kMemorySize = 64ULL << 20;

  Result<LoadedKernel> Load(const Bytes& image) { return LoadKernel(memory_, MemorySource(image)); }

  void ExpectRefused(const Bytes& image, ErrorCode code, const std::string& words) {
    const auto kernel = Load(image);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().code, code) << kernel.error().message;
    EXPECT_THAT(kernel.error().message, ::testing::HasSubstr(words));
  }

  /// That guest memory holds MakeElf()'s two segments, and zeros behind the second.
  void ExpectElfLoaded() {
    const Bytes content = Pattern(8000);
    const auto text = memory_.At(kTextAt, 5000).value();
    const auto data = memory_.At(kDataAt, 3000).value();
    const auto zeroed = memory_.At(kDataAt + 3000, kDataMemorySize - 3000).value();
    EXPECT_TRUE(std::equal(text.begin(), text.end(), content.begin()));
    EXPECT_TRUE(std::equal(data.begin(), data.end(), content.begin() + 5000));
    EXPECT_TRUE(std::all_of(zeroed.begin(), zeroed.end(), [](auto b) { return b == std::byte{}; }));
  }

  GuestMemory memory_ = GuestMemory::Create(kMemorySize).value();
};

}  // namespace tidevm::boot::test
