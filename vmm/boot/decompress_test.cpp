#include "vmm/boot/decompress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "vmm/boot/test_images.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using ::testing::HasSubstr;

constexpr std::size_t kSize = 100'000;

class DecompressEach : public ::testing::TestWithParam<Compression> {
 protected:
  const Bytes content_ = test::Pattern(kSize);
  Bytes packed_ = test::Compress(GetParam(), content_);
  Bytes output_ = Bytes(kSize);
};

TEST_P(DecompressEach, IsDetectedAndUnpacked) {
  EXPECT_EQ(DetectCompression(packed_), GetParam());
  ASSERT_TRUE(Decompress(GetParam(), packed_, output_));
  EXPECT_EQ(output_, content_);
}

TEST_P(DecompressEach, ATruncatedStreamIsDamaged) {
  for (const std::size_t size : {packed_.size() - 1, packed_.size() / 2, std::size_t{7}}) {
    const auto result = Decompress(GetParam(), std::span(packed_).first(size), output_);
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(result.error().message, HasSubstr(Name(GetParam())));
    EXPECT_THAT(result.error().message, HasSubstr("fetch it again"));
  }
}

TEST_P(DecompressEach, AStreamShorterThanPromisedSaysBothSizes) {
  output_.resize(kSize + 1);
  const auto result = Decompress(GetParam(), packed_, output_);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("unpack to 100,000 bytes, not to the 100,001"));
}

TEST_P(DecompressEach, AStreamLongerThanPromisedStopsAtThePromise) {
  // The bytes past the promised size stand guard.
  const auto result = Decompress(GetParam(), packed_, std::span(output_).first(kSize - 1));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(output_.back(), std::byte{0});
}

TEST_P(DecompressEach, NoiseBehindTheMagicNumberIsDamaged) {
  for (std::size_t i = 20; i < packed_.size(); ++i) {
    packed_[i] = std::byte{0xa5};
  }
  const auto result = Decompress(GetParam(), packed_, output_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
}

INSTANTIATE_TEST_SUITE_P(All, DecompressEach,
                         ::testing::Values(Compression::kGzip, Compression::kBzip2,
                                           Compression::kLzma, Compression::kXz, Compression::kLz4,
                                           Compression::kZstd),
                         [](const auto& each) { return std::string(Name(each.param)); });

TEST(Decompress, LzoIsKnownButNotUnpacked) {
  Bytes packed = test::Compress(Compression::kLzo, {});
  Bytes output(1);
  EXPECT_EQ(DetectCompression(packed), Compression::kLzo);
  const auto result = Decompress(Compression::kLzo, packed, output);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
}

TEST(Decompress, UnknownMagicNumbersAreNothing) {
  EXPECT_FALSE(DetectCompression({}));
  EXPECT_FALSE(DetectCompression(test::ToBytes("\x1f")));
  EXPECT_FALSE(DetectCompression(test::ToBytes("plain text")));
}

TEST(Decompress, ALzmaDictionaryOfGigabytesIsRefused) {
  Bytes packed = test::Compress(Compression::kLzma, test::Pattern(kSize));
  const std::uint32_t dictionary = 0xc0000000;  // bytes 1 to 4 of the format
  std::memcpy(&packed[1], &dictionary, sizeof(dictionary));
  Bytes output(kSize);
  const auto result = Decompress(Compression::kLzma, packed, output);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(result.error().message, HasSubstr("the limit is 256 MiB"));
}

}  // namespace
}  // namespace tidevm::boot
