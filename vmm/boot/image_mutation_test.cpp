// Damaged images by the thousand: each must be loaded inside its bounds or refused with a sentence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tidevm/guest_layout.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/kernel_image.h"
#include "vmm/boot/test_images.h"

namespace tidevm::boot {
namespace {

using test::Bytes;

constexpr int kRounds = 1000;
constexpr std::uint64_t kMemorySize = 32ULL << 20;

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  Bytes operator()(Bytes image) {
    for (std::size_t changes = 1 + Below(4); changes > 0; --changes) {
      Change(image);
    }
    if (Below(8) == 0) {
      image.resize(Below(image.size()));
    }
    return image;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }

  void Change(Bytes& image) {
    // Half of the changes go where the headers are, which is where the decisions are made.
    const std::size_t reach =
        Below(2) == 0 ? std::min<std::size_t>(image.size(), 0x270) : image.size();
    const std::size_t at = Below(reach - 8);
    static constexpr std::uint64_t kEdges[] = {0,          1,          0x7f,  0xff,
                                               0x7fffffff, 0xffffffff, ~0ULL, 0x1000};
    const std::uint64_t value = Below(2) == 0 ? kEdges[Below(std::size(kEdges))] : random_();
    std::memcpy(&image[at], &value, std::size_t{1} << Below(4));
  }

  std::mt19937 random_;
};

void ExpectNoneEscapes(const Bytes& image, std::uint32_t seed) {
  const auto memory = GuestMemory::Create(kMemorySize).value();
  Mutator mutate(seed);
  for (int round = 0; round < kRounds; ++round) {
    const Bytes damaged = mutate(image);
    const auto kernel = LoadKernel(memory, MemorySource(damaged));
    if (kernel) {
      ASSERT_GE(kernel->range.start, layout::kHighRamStart) << round;
      ASSERT_LE(kernel->range.end(), kMemorySize) << round;
      ASSERT_GE(kernel->entry, kernel->range.start) << round;
      ASSERT_LT(kernel->entry, kernel->range.end()) << round;
    } else {
      ASSERT_FALSE(kernel.error().message.empty()) << round;
    }
  }
  const auto low = memory.At(0, layout::kHighRamStart).value();
  EXPECT_TRUE(std::all_of(low.begin(), low.end(), [](auto b) { return b == std::byte{0}; }))
      << "something was written where the boot data go";
}

TEST(ImageMutation, Elf) { ExpectNoneEscapes(test::MakeElf(), 1); }

class ImageMutationEach : public ::testing::TestWithParam<Compression> {};

TEST_P(ImageMutationEach, BzImage) {
  ExpectNoneEscapes(test::MakeBzImage(test::MakePayload(GetParam(), test::MakeElf())), 2);
}

INSTANTIATE_TEST_SUITE_P(All, ImageMutationEach,
                         ::testing::Values(Compression::kGzip, Compression::kBzip2,
                                           Compression::kLzma, Compression::kXz, Compression::kLz4,
                                           Compression::kZstd, Compression::kLzo),
                         [](const auto& each) { return std::string(Name(each.param)); });

}  // namespace
}  // namespace tidevm::boot
