#include "vmm/boot/elf_kernel.h"

#include <cstring>
#include <utility>

#include "vmm/boot/kernel_fixture.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using test::Elf;
using test::MakeElf;

class ElfKernelTest : public test::KernelFixture {};

TEST_F(ElfKernelTest, SegmentsLandAtTheirPhysicalAddresses) {
  const auto kernel = Load(MakeElf());
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->entry, test::kEntry);
  EXPECT_EQ(kernel->range.start, test::kTextAt);
  EXPECT_EQ(kernel->range.end(), test::kElfEnd);
  EXPECT_EQ(kernel->format, "ELF");
  EXPECT_EQ(kernel->note, "");
  EXPECT_EQ(kernel->header.cmdline_size, 2047U);
  ExpectElfLoaded();
}

TEST_F(ElfKernelTest, ATruncatedSegmentSaysWhereTheFileEnds) {
  Bytes image = MakeElf();
  image.resize(image.size() - 1);
  ExpectRefused(
      image, ErrorCode::kCorrupt,
      "truncated: a segment has 3,000 bytes at offset 9,096, the image ends after 12,095");
}

TEST_F(ElfKernelTest, TruncatedHeadersAreRefused) {
  Bytes image = MakeElf();
  image.resize(100);
  ExpectRefused(image, ErrorCode::kCorrupt, "its program headers: truncated");
  image.resize(20);
  ExpectRefused(image, ErrorCode::kCorrupt, "an ELF header has 64 bytes, the file ends after 20");
}

TEST_F(ElfKernelTest, OtherMachinesAreRefused) {
  ExpectRefused(MakeElf([](Elf& elf) {
                  elf.header.e_ident[EI_CLASS] = ELFCLASS32;
                  elf.header.e_machine = EM_386;
                }),
                ErrorCode::kUnsupported, "(32-bit, machine 3)");
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_machine = EM_AARCH64; }),
                ErrorCode::kUnsupported, "(64-bit, machine 183)");
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_type = ET_REL; }), ErrorCode::kUnsupported,
                "of type 1");
}

TEST_F(ElfKernelTest, ProgramHeadersOfAnotherShapeAreRefused) {
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_phentsize = 32; }), ErrorCode::kCorrupt,
                "3 program headers of 32 bytes");
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_phnum = 0; }), ErrorCode::kCorrupt,
                "0 program headers");
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_phnum = 65535; }), ErrorCode::kCorrupt,
                "65535 program headers");
  ExpectRefused(MakeElf([](Elf& elf) { elf.header.e_phoff = ~0ULL - 8; }), ErrorCode::kCorrupt,
                "its program headers: truncated");
}

TEST_F(ElfKernelTest, SumsThatWrapAreDamage) {
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[0].p_offset = ~0ULL; }), ErrorCode::kCorrupt,
                "truncated: a segment");
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[0].p_filesz = ~0ULL; }), ErrorCode::kCorrupt,
                "truncated: a segment");
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[0].p_memsz = ~0ULL; }), ErrorCode::kCorrupt,
                "damaged: a segment");
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[1].p_memsz = 10; }), ErrorCode::kCorrupt,
                "damaged: a segment of 3,000 bytes in the file and 10 in memory");
}

TEST_F(ElfKernelTest, TheBootDataAreNotOverwritten) {
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[0].p_paddr = 0x7000; }),
                ErrorCode::kUnsupported, "a segment wants address 0x7000, and below 0x100000");
  EXPECT_EQ((*memory_.At(0x7000, 1))[0], std::byte{0});
}

TEST_F(ElfKernelTest, TooLittleMemorySaysHowMuchWouldDo) {
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[1].p_memsz = 64ULL << 20; }),
                ErrorCode::kLimitExceeded,
                "memory up to 0x5200000, the guest has 64 MiB; give at least --memory 82M");
}

TEST_F(ElfKernelTest, AKernelAboveTheGapIsUnsupportedWhateverTheMemory) {
  ExpectRefused(MakeElf([](Elf& elf) { elf.segments[1].p_paddr = 0x100000000; }),
                ErrorCode::kUnsupported, "up to 0x100005000, and RAM below 4 GiB ends at");
}

TEST_F(ElfKernelTest, TheEntryMustBeSomethingThatWasLoaded) {
  for (const Gpa entry : {Gpa{0}, test::kTextAt - 1, test::kElfEnd - 1, ~Gpa{0}}) {
    ExpectRefused(MakeElf([=](Elf& elf) { elf.header.e_entry = entry; }), ErrorCode::kCorrupt,
                  "its entry point");
  }
}

class SettleElfKernelTest : public test::KernelFixture {
 protected:
  static constexpr Gpa kImageAt = test::kTextAt - 0x200000;

  std::optional<LoadedKernel> Settle(const Bytes& image, Gpa at = kImageAt) {
    EXPECT_TRUE(memory_.Write(at, image));
    return SettleElfKernel(memory_, {.start = at, .size = image.size()});
  }

  void ExpectLeftAlone(const Bytes& image, Gpa at = kImageAt) {
    EXPECT_FALSE(Settle(image, at));
    const auto bytes = memory_.At(at, image.size()).value();
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), image.begin()));
  }
};

TEST_F(SettleElfKernelTest, EverySegmentComesToItsPlaceAndNothingElseStays) {
  const auto kernel = Settle(test::MakeLinuxElf());
  ASSERT_TRUE(kernel);
  const GuestMemory copied = GuestMemory::Create(kMemorySize).value();
  const auto other = LoadElfKernel(copied, MemorySource(test::MakeLinuxElf()));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(kernel->entry, other->entry);
  EXPECT_EQ(kernel->range, other->range);
  const auto ours = memory_.At(0, kMemorySize).value();
  const auto theirs = copied.At(0, kMemorySize).value();
  EXPECT_EQ(std::memcmp(ours.data(), theirs.data(), kMemorySize), 0);
}

TEST_F(SettleElfKernelTest, AnotherLayoutIsLeftAlone) {
  // Not where the first segment is in its place.
  ExpectLeftAlone(test::MakeLinuxElf(), kImageAt + 0x1000);
  // Upwards, where it may lie on what is still to be moved.
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.segments[1].p_paddr += 0x1000; }));
  // Not in the order of the file.
  ExpectLeftAlone(
      test::MakeLinuxElf([](Elf& elf) { std::swap(elf.segments[1], elf.segments[2]); }));
  // One onto another: in memory, and in the file.
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.segments[2].p_paddr -= 0x4000; }));
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.segments[2].p_offset -= 0x5000; }));
}

TEST_F(SettleElfKernelTest, WhatWouldBeRefusedIsLeftAlone) {
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.header.e_machine = EM_386; }));
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.segments[2].p_filesz = 1U << 30; }));
  ExpectLeftAlone(test::MakeLinuxElf([](Elf& elf) { elf.header.e_entry = 0; }));
  ExpectLeftAlone(Bytes(100));
}

}  // namespace
}  // namespace tidevm::boot
