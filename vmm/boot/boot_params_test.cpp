#include "vmm/boot/boot_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tidevm/guest_layout.h"
#include "vmm/boot/boot_entry.h"
#include "vmm/boot/size_test_util.h"

namespace tidevm::boot {
namespace {

using ::testing::HasSubstr;

/// What every guest has, with low RAM up to `low_end`.
std::vector<E820Entry> CommonMap(Gpa low_end) {
  return {{.range = {0, 0x9fc00}, .type = E820Type::kRam},
          {.range = {0x9fc00, 0x400}, .type = E820Type::kReserved},
          {.range = {0xe0000, 0x20000}, .type = E820Type::kAcpi},
          {.range = {0x100000, low_end - 0x100000}, .type = E820Type::kRam},
          {.range = {0xfeffc000, 0x4000}, .type = E820Type::kReserved}};
}

TEST(MemoryMap, WithoutMemoryAboveTheGap) {
  EXPECT_EQ(MemoryMap(128 * kMiB), CommonMap(0x8000000));
  EXPECT_EQ(MemoryMap(3 * kGiB), CommonMap(0xc0000000));
}

TEST(MemoryMap, WithMemoryAboveTheGap) {
  auto page_more = CommonMap(0xc0000000);
  page_more.push_back({.range = {0x100000000, 0x1000}, .type = E820Type::kRam});
  EXPECT_EQ(MemoryMap(3 * kGiB + 0x1000), page_more);
  auto six = CommonMap(0xc0000000);
  six.push_back({.range = {0x100000000, 3 * kGiB}, .type = E820Type::kRam});
  EXPECT_EQ(MemoryMap(6 * kGiB), six);
}

TEST(MemoryMap, AscendsWithoutOverlapAndLeavesTheDevicesOut) {
  const auto map = MemoryMap(8 * kGiB);
  for (std::size_t i = 1; i < map.size(); ++i) {
    EXPECT_LE(map[i - 1].range.end(), map[i].range.start);
  }
  for (const E820Entry& entry : map) {
    EXPECT_FALSE(entry.range.start <= layout::kIoApic && layout::kIoApic < entry.range.end());
  }
}

class BootParamsTest : public ::testing::Test {
 protected:
  template <typename T>
  T ReadAt(Gpa at) {
    T value;
    std::memcpy(&value, memory_.At(at, sizeof(T)).value().data(), sizeof(T));
    return value;
  }

  GuestMemory memory_ = GuestMemory::Create(128 * kMiB).value();
  ::setup_header header_ = [] {
    ::setup_header header = {};
    header.version = 0x020f;
    header.cmdline_size = 2047;
    header.setup_data = 0xdead;
    return header;
  }();
};

TEST_F(BootParamsTest, CarriesWhatTheLoaderMustFillIn) {
  ASSERT_TRUE(WriteBootParams(memory_, header_, {.start = 0x7000000, .size = 1234}, 0xe0000));
  const auto params = ReadAt<::boot_params>(layout::kBootParams);
  EXPECT_EQ(params.hdr.version + 0, 0x020f);
  EXPECT_EQ(params.hdr.type_of_loader, 0xff);
  EXPECT_EQ(params.hdr.cmd_line_ptr + 0, 0x20000U);
  EXPECT_EQ(params.hdr.ramdisk_image + 0, 0x7000000U);
  EXPECT_EQ(params.hdr.ramdisk_size + 0, 1234U);
  EXPECT_EQ(params.hdr.setup_data + 0, 0U);
  EXPECT_EQ(params.acpi_rsdp_addr + 0, 0xe0000U);
  EXPECT_EQ(params.sentinel, 0);
}

TEST_F(BootParamsTest, CarriesTheMemoryMap) {
  ASSERT_TRUE(WriteBootParams(memory_, header_, {}, 0));
  const auto params = ReadAt<::boot_params>(layout::kBootParams);
  const auto map = MemoryMap(128 * kMiB);
  ASSERT_EQ(params.e820_entries, map.size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    EXPECT_EQ(params.e820_table[i].addr + 0, map[i].range.start);
    EXPECT_EQ(params.e820_table[i].size + 0, map[i].range.size);
    EXPECT_EQ(params.e820_table[i].type + 0, static_cast<std::uint32_t>(map[i].type));
  }
}

TEST_F(BootParamsTest, CommandLineEndsInNul) {
  ASSERT_TRUE(WriteCommandLine(memory_, header_, "console=ttyS0 quiet"));
  const auto line = memory_.At(layout::kCommandLine, 20).value();
  EXPECT_STREQ(reinterpret_cast<const char*>(line.data()), "console=ttyS0 quiet");
  EXPECT_TRUE(WriteCommandLine(memory_, header_, ""));
}

TEST_F(BootParamsTest, CommandLineOverTheKernelsLimitIsRefused) {
  EXPECT_TRUE(WriteCommandLine(memory_, header_, std::string(2047, 'a')));
  const auto result = WriteCommandLine(memory_, header_, std::string(2048, 'a'));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(result.error().message,
              HasSubstr("2,048 characters, this kernel takes at most 2,047"));
}

TEST_F(BootParamsTest, CommandLineNeverLeavesItsPlace) {
  header_.cmdline_size = 0xffffffff;
  EXPECT_TRUE(WriteCommandLine(memory_, header_, std::string(4095, 'a')));
  EXPECT_EQ(ReadAt<char>(layout::kCommandLineEnd - 1), '\0');
  const auto result = WriteCommandLine(memory_, header_, std::string(4096, 'a'));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("tidevm takes at most 4,095"));
}

TEST_F(BootParamsTest, CommandLineWithANulIsRefused) {
  const auto result = WriteCommandLine(memory_, header_, std::string_view("a\0b", 3));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(BootParamsTest, EveryAddressBelowFourGiBMapsToItself) {
  const auto entry = WriteBootEntry(memory_, 0x1000000);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->rip, 0x1000000U);
  EXPECT_EQ(entry->boot_params, layout::kBootParams);
  constexpr std::uint64_t kAddressBits = 0x000ffffffffff000;
  for (const Gpa address : {Gpa{0}, Gpa{0x1234567}, Gpa{0x40000000}, Gpa{0xbfffffff},
                            Gpa{0xfee00000}, Gpa{0xffffffff}}) {
    Gpa table = entry->page_table_root;
    for (const unsigned shift : {39U, 30U}) {
      const auto link = ReadAt<std::uint64_t>(table + ((address >> shift) & 511) * 8);
      ASSERT_EQ(link & 3, 3U);
      table = link & kAddressBits;
    }
    const auto leaf = ReadAt<std::uint64_t>(table + ((address >> 21) & 511) * 8);
    ASSERT_EQ(leaf & 0x83, 0x83U);
    EXPECT_EQ((leaf & kAddressBits) | (address & 0x1fffff), address);
  }
}

TEST_F(BootParamsTest, SelectorsNameFlat64BitCodeAndData) {
  const auto entry = WriteBootEntry(memory_, 0);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->code_selector, 0x10);
  EXPECT_EQ(entry->data_selector, 0x18);
  EXPECT_EQ(entry->gdt_limit, 31);
  EXPECT_EQ(ReadAt<std::uint64_t>(entry->gdt_base), 0U);
  EXPECT_EQ(ReadAt<std::uint64_t>(entry->gdt_base + entry->code_selector), 0x00af9b000000ffffU);
  EXPECT_EQ(ReadAt<std::uint64_t>(entry->gdt_base + entry->data_selector), 0x00cf93000000ffffU);
}

}  // namespace
}  // namespace tidevm::boot
