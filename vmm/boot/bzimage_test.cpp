#include "vmm/boot/bzimage.h"

#include <cstring>

#include "vmm/boot/elf_kernel.h"
#include "vmm/boot/kernel_fixture.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using test::MakeBzImage;
using test::MakeElf;
using test::MakePayload;
using ::testing::HasSubstr;

class BzImageTest : public test::KernelFixture {
 protected:
  static Bytes Gzipped(const std::function<void(::setup_header&)>& change = {}) {
    return MakeBzImage(MakePayload(Compression::kGzip, MakeElf()), change);
  }
};

class BzImageEach : public BzImageTest, public ::testing::WithParamInterface<Compression> {
 protected:
  void ExpectSameMemory() const {
    const auto all = memory_.At(0, kMemorySize).value();
    const auto other = copied_.At(0, kMemorySize).value();
    EXPECT_EQ(std::memcmp(all.data(), other.data(), kMemorySize), 0);
  }
  GuestMemory copied_ = GuestMemory::Create(kMemorySize).value();
};

TEST_P(BzImageEach, PayloadIsUnpackedOnTheHost) {
  const auto kernel = Load(MakeBzImage(MakePayload(GetParam(), MakeElf())));
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->entry, test::kEntry);
  EXPECT_EQ(kernel->range.end(), test::kElfEnd);
  EXPECT_EQ(kernel->format,
            fmt::format("bzImage 2.15, {} payload unpacked on the host", Name(GetParam())));
  EXPECT_EQ(kernel->note, "");
  EXPECT_EQ(kernel->header.init_size, 0x400000U);
  ExpectElfLoaded();
}

TEST_P(BzImageEach, AKernelLaidOutAsLinuxIsLeavesTheSameMemoryAsOneThatIsCopied) {
  const auto unpacked = Load(MakeBzImage(MakePayload(GetParam(), test::MakeLinuxElf())));
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  const auto copied = LoadElfKernel(copied_, MemorySource(test::MakeLinuxElf()));
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(unpacked->entry, copied->entry);
  EXPECT_EQ(unpacked->range, copied->range);
  EXPECT_EQ(unpacked->header.init_size, 0x400000U);
  ExpectSameMemory();
}

TEST_P(BzImageEach, APayloadLargerThanMemoryIsRefusedBeforeItIsUnpacked) {
  Bytes payload = MakePayload(GetParam(), MakeElf());
  const std::uint32_t size = 100U << 20;
  std::memcpy(&payload[payload.size() - 4], &size, sizeof(size));
  ExpectRefused(MakeBzImage(payload), ErrorCode::kLimitExceeded,
                "it unpacks to 100 MiB, the guest has 64 MiB of memory; give at least --memory "
                "116M");
}

TEST_P(BzImageEach, AnUnpackedSizeThatLiesIsDamage) {
  for (const std::uint32_t size : {0U, 100U, 1U << 20, 0xffffffffU}) {
    Bytes payload = MakePayload(GetParam(), MakeElf());
    std::memcpy(&payload[payload.size() - 4], &size, sizeof(size));
    ExpectRefused(MakeBzImage(payload), ErrorCode::kCorrupt, "damaged");
  }
}

INSTANTIATE_TEST_SUITE_P(All, BzImageEach,
                         ::testing::Values(Compression::kGzip, Compression::kBzip2,
                                           Compression::kLzma, Compression::kXz, Compression::kLz4,
                                           Compression::kZstd),
                         [](const auto& each) { return std::string(Name(each.param)); });

TEST_F(BzImageTest, AnUncompressedPayloadIsLoadedAsItIs) {
  const auto kernel = Load(MakeBzImage(MakeElf()));
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->format, "bzImage 2.15, payload not compressed");
  ExpectElfLoaded();
}

TEST_F(BzImageTest, ATruncatedPayloadSaysWhatWasPromised) {
  Bytes image = Gzipped([](auto& header) { header.payload_length = 13'631'488; });
  image.resize(4096);
  ExpectRefused(image, ErrorCode::kCorrupt,
                "truncated: the header promises a payload of 13,631,488 bytes at offset 3,584, the "
                "file ends after 4,096; fetch it again");
}

TEST_F(BzImageTest, PayloadFieldsThatWouldWrapAreTruncation) {
  ExpectRefused(Gzipped([](auto& header) { header.payload_offset = 0xffffffff; }),
                ErrorCode::kCorrupt, "truncated");
  ExpectRefused(Gzipped([](auto& header) { header.payload_length = 0xffffffff; }),
                ErrorCode::kCorrupt, "truncated");
}

TEST_F(BzImageTest, ADamagedPayloadIsAnErrorAndNotLeftToTheGuest) {
  Bytes payload = MakePayload(Compression::kGzip, MakeElf());
  payload[payload.size() / 2] ^= std::byte{0xff};
  ExpectRefused(MakeBzImage(payload), ErrorCode::kCorrupt, "its gzip data are damaged");
}

TEST_F(BzImageTest, WhatCannotBeUnpackedHereUnpacksItselfInTheGuest) {
  const Bytes lzo = MakePayload(Compression::kLzo, {});
  const Bytes image = MakeBzImage(lzo, [](auto& header) { header.pref_address = 0x1400000; });
  const auto kernel = Load(image);
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->entry, 0x1400200U);
  EXPECT_EQ(kernel->range, (GpaRange{.start = 0x1400000, .size = 0x400000}));
  EXPECT_EQ(kernel->header.code32_start, 0x1400000U);
  EXPECT_EQ(kernel->format, "bzImage 2.15, unpacks itself in the guest");
  EXPECT_THAT(kernel->note, HasSubstr("lzo payload cannot be unpacked on the host"));
  const auto loaded = memory_.At(0x1400000, image.size() - 2560).value();
  EXPECT_TRUE(std::equal(loaded.begin(), loaded.end(), image.begin() + 2560));
}

TEST_F(BzImageTest, OtherReasonsToUnpackInTheGuestAreNamed) {
  const auto unknown = Load(MakeBzImage(test::ToBytes("somewhat else")));
  ASSERT_TRUE(unknown) << unknown.error().message;
  EXPECT_THAT(unknown->note, HasSubstr("which begins with 0x656d6f73"));
  const auto none = Load(Gzipped([](auto& header) { header.payload_offset = 0; }));
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_THAT(none->note, HasSubstr("names no payload"));
  const auto other = Load(MakeBzImage(MakePayload(Compression::kXz, test::Pattern(5000))));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_THAT(other->note, HasSubstr("not an ELF file"));
}

TEST_F(BzImageTest, SelfUnpackingNeedsThe64BitEntry) {
  const Bytes lzo = MakePayload(Compression::kLzo, {});
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.xloadflags = 0; }),
                ErrorCode::kUnsupported, "no 64-bit entry point");
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.version = 0x20b; }),
                ErrorCode::kUnsupported, "boot protocol 2.11");
}

TEST_F(BzImageTest, SelfUnpackingIsBounded) {
  const Bytes lzo = MakePayload(Compression::kLzo, {});
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.init_size = 64U << 20; }),
                ErrorCode::kLimitExceeded,
                "up to 0x5000000, the guest has 64 MiB; give at least "
                "--memory 80M");
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.pref_address = ~0ULL - 8; }),
                ErrorCode::kCorrupt, "at 0xfffffffffffffff7");
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.pref_address = 0x7000; }),
                ErrorCode::kCorrupt, "at 0x7000");
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.syssize = 0xffffffff; }),
                ErrorCode::kCorrupt, "promises a kernel of 68,719,476,720 bytes");
  ExpectRefused(MakeBzImage(lzo, [](auto& header) { header.syssize = 0x20; }), ErrorCode::kCorrupt,
                "damaged: 512 bytes of kernel");
}

TEST_F(BzImageTest, AHeaderThatEndsEarlyHasNoLaterFields) {
  // Up to and without payload_offset, and so without pref_address: 0x248 - 0x202.
  const auto kernel = Load(Gzipped([](auto& header) { header.jump = 0x46eb; }));
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_THAT(kernel->note, HasSubstr("names no payload"));
  EXPECT_EQ(kernel->range.start, 0x100000U);
  EXPECT_EQ(kernel->header.payload_length + 0, 0U);
}

TEST_F(BzImageTest, OldKernelsAreRefused) {
  ExpectRefused(Gzipped([](auto& header) { header.version = 0x0204; }), ErrorCode::kUnsupported,
                "boot protocol 2.04, 2.08 (Linux 2.6.26) is the oldest");
}

TEST_F(BzImageTest, A32BitKernelIsNamedAsSuch) {
  const Bytes elf = MakeElf([](test::Elf& e) {
    e.header.e_ident[EI_CLASS] = ELFCLASS32;
    e.header.e_machine = EM_386;
  });
  ExpectRefused(MakeBzImage(MakePayload(Compression::kZstd, elf)), ErrorCode::kUnsupported,
                "32-bit");
}

}  // namespace
}  // namespace tidevm::boot
