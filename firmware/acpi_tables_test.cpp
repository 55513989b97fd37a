#include "firmware/acpi_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/acpi_config.h"
#include "firmware/bytes.h"
#include "firmware/hex_test_util.h"
#include "firmware/madt.h"
#include "tidevm/guest_layout.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::firmware {
namespace {

using testing::HasSubstr;

constexpr std::size_t kCapacity = layout::kAcpiEnd - layout::kAcpiStart;

AcpiConfig Config(std::uint32_t boot, std::uint32_t max) {
  AcpiConfig config;
  for (CpuId uid = 0; uid < max; ++uid) {
    config.cpus.push_back(CpuEntry{.uid = uid, .apic_id = uid, .enabled_at_boot = uid < boot});
  }
  return config;
}

AcpiTables Build(const AcpiConfig& config) {
  return BuildAcpiTables(config, layout::kAcpiStart, kCapacity).value();
}

std::span<const std::byte> Find(const AcpiTables& tables, std::string_view signature) {
  const auto it = std::ranges::find(tables.tables, signature, &NamedTable::signature);
  EXPECT_NE(it, tables.tables.end()) << signature;
  return it == tables.tables.end() ? std::span<const std::byte>() : tables.Contents(*it);
}

std::uint64_t Read(std::span<const std::byte> table, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= std::to_integer<std::uint64_t>(table[offset + i]) << (8 * i);
  }
  return value;
}

/// The guest physical address of a table.
Gpa Address(const AcpiTables& tables, std::string_view signature) {
  const std::span<const std::byte> table = Find(tables, signature);
  return tables.base + static_cast<Gpa>(table.data() - tables.bytes.data());
}

/// Entries behind the fixed part of the MADT.
std::vector<std::string> MadtEntries(std::span<const std::byte> madt) {
  constexpr std::size_t kFixedPart = 44;
  std::vector<std::string> entries;
  for (std::size_t at = kFixedPart; at < madt.size();) {
    const auto length = static_cast<std::size_t>(Read(madt, at + 1, 1));
    entries.push_back(Hex(madt.subspan(at, length)));
    at += length;
  }
  return entries;
}

TEST(AcpiTables, RsdpLiesAtTheBaseAndLeadsToEveryTable) {
  const AcpiTables tables = Build(Config(1, 4));
  const std::span<const std::byte> rsdp = Find(tables, "RSDP");
  EXPECT_EQ(tables.rsdp, layout::kAcpiStart);
  EXPECT_EQ(rsdp.data(), tables.bytes.data());
  EXPECT_EQ(Hex(rsdp.first(8)), "52 53 44 20 50 54 52 20");  // "RSD PTR "
  EXPECT_EQ(Read(rsdp, 15, 1), 2);                           // revision
  EXPECT_EQ(Read(rsdp, 16, 4), 0);                           // no RSDT
  EXPECT_EQ(Read(rsdp, 20, 4), 36);
  EXPECT_EQ(Read(rsdp, 24, 8), Address(tables, "XSDT"));
  const std::span<const std::byte> xsdt = Find(tables, "XSDT");
  ASSERT_EQ(xsdt.size(), 52);
  EXPECT_EQ(Read(xsdt, 36, 8), Address(tables, "FACP"));
  EXPECT_EQ(Read(xsdt, 44, 8), Address(tables, "APIC"));
  EXPECT_EQ(Read(Find(tables, "FACP"), 140, 8), Address(tables, "DSDT"));
}

TEST(AcpiTables, EveryTableStatesItsSizeAndSumsToZero) {
  const AcpiTables tables = Build(Config(3, 255));
  for (const NamedTable& table : tables.tables) {
    EXPECT_EQ(table.offset % 16, 0) << table.signature;
    EXPECT_EQ(Checksum(tables.Contents(table)), std::byte{0}) << table.signature;
    if (table.signature != "RSDP") {
      EXPECT_EQ(Read(tables.Contents(table), 4, 4), table.size) << table.signature;
    }
  }
  EXPECT_EQ(Checksum(Find(tables, "RSDP").first(20)), std::byte{0});
}

TEST(AcpiTables, SameInputGivesSameBytes) {
  EXPECT_EQ(Build(Config(2, 8)).bytes, Build(Config(2, 8)).bytes);
}

TEST(AcpiTables, Fit255CpusIntoAQuarterOfTheRoom) {
  const AcpiTables tables = Build(Config(255, 255));
  EXPECT_LT(tables.bytes.size(), kCapacity / 4);
}

TEST(AcpiTables, TooManyCpusForTheRoomIsALimitThatNamesBothSizes) {
  const std::size_t needed = Build(Config(1, 8)).bytes.size();
  EXPECT_TRUE(BuildAcpiTables(Config(1, 8), layout::kAcpiStart, needed).has_value());
  const auto result = BuildAcpiTables(Config(1, 8), layout::kAcpiStart, needed - 1);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(result.error().message, HasSubstr(std::to_string(needed)));
  EXPECT_THAT(result.error().message, HasSubstr(std::to_string(needed - 1)));
}

TEST(AcpiTables, MoreCpusThanNamesIsALimit) {
  constexpr std::size_t kPlenty = 1U << 24;
  EXPECT_TRUE(BuildAcpiTables(Config(1, 4096), 0, kPlenty).has_value());
  const auto result = BuildAcpiTables(Config(1, 4097), 0, kPlenty);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
}

TEST(AcpiTables, MalformedConfigIsRefused) {
  std::vector<AcpiConfig> configs(4);
  configs[1].cpus = {{.uid = 0, .apic_id = 0, .enabled_at_boot = false}};
  configs[2].cpus = {{.uid = 0, .apic_id = 0, .enabled_at_boot = true},
                     {.uid = 2, .apic_id = 2, .enabled_at_boot = true}};
  configs[3].cpus = {{.uid = 0, .apic_id = 1, .enabled_at_boot = true},
                     {.uid = 1, .apic_id = 1, .enabled_at_boot = true}};
  for (const AcpiConfig& config : configs) {
    const auto result = BuildAcpiTables(config, layout::kAcpiStart, kCapacity);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(BuildAcpiTables(Config(1, 1), layout::kAcpiStart + 8, kCapacity).has_value());
}

TEST(Fadt, IsHardwareReducedVersion6Point3) {
  const AcpiTables tables = Build(Config(1, 1));
  const std::span<const std::byte> fadt = Find(tables, "FACP");
  ASSERT_EQ(fadt.size(), 276);
  EXPECT_EQ(Read(fadt, 8, 1), 6);
  EXPECT_EQ(Read(fadt, 131, 1), 3);
  EXPECT_EQ(Read(fadt, 109, 2), 0x24);  // no VGA, no CMOS RTC; no 8042
  // HW_REDUCED_ACPI, RESET_REG_SUP, SLP_BUTTON, PWR_BUTTON, PROC_C1, WBINVD
  EXPECT_EQ(Read(fadt, 112, 4), 0x100435);
  // Generic addresses: system I/O, 8 bits, byte access.
  EXPECT_EQ(Hex(fadt.subspan(116, 12)), "01 08 00 01 ea 0c 00 00 00 00 00 00");  // reset
  EXPECT_EQ(Read(fadt, 128, 1), layout::kResetValue);
  EXPECT_EQ(Hex(fadt.subspan(244, 12)), "01 08 00 01 e8 0c 00 00 00 00 00 00");  // sleep control
  EXPECT_EQ(Hex(fadt.subspan(256, 12)), "01 08 00 01 e9 0c 00 00 00 00 00 00");  // sleep status
  EXPECT_EQ(Hex(fadt.subspan(268, 8)), "54 49 44 45 56 4d 00 00");               // "TIDEVM"
}

TEST(Madt, HasAnEntryForEveryPossibleCpu) {
  const AcpiTables tables = Build(Config(2, 4));
  const std::span<const std::byte> madt = Find(tables, "APIC");
  EXPECT_EQ(Read(madt, 8, 1), 5);
  EXPECT_EQ(Read(madt, 36, 4), layout::kLocalApic);
  EXPECT_EQ(Read(madt, 40, 4), 0);                                                // no 8259
  EXPECT_THAT(MadtEntries(madt), testing::ElementsAre("00 08 00 00 01 00 00 00",  //
                                                      "00 08 01 01 01 00 00 00",  //
                                                      "00 08 02 02 02 00 00 00",  //
                                                      "00 08 03 03 02 00 00 00",
                                                      // I/O APIC 4 at 0xfec00000
                                                      "01 0c 04 00 00 00 c0 fe 00 00 00 00",
                                                      // NMI at LINT1 of every CPU
                                                      "04 06 ff 00 00 01"));
}

TEST(Madt, ApicIdsAbove254AreX2Apic) {
  AcpiConfig config = Config(1, 3);
  config.cpus[1].apic_id = 254;
  config.cpus[2].apic_id = 255;
  const AcpiTables tables = Build(config);
  EXPECT_THAT(MadtEntries(Find(tables, "APIC")),
              testing::ElementsAre("00 08 00 00 01 00 00 00",  //
                                   "00 08 01 fe 02 00 00 00",
                                   "09 10 00 00 ff 00 00 00 02 00 00 00 02 00 00 00",
                                   "01 0c 01 00 00 00 c0 fe 00 00 00 00",  //
                                   "04 06 ff 00 00 01",                    //
                                   "0a 0c 00 00 ff ff ff ff 01 00 00 00"));
}

TEST(Madt, IoApicTakesAnIdThatNoCpuHas) {
  AcpiConfig config = Config(1, 3);
  config.cpus[2].apic_id = 4;  // 0, 1, 4
  EXPECT_THAT(MadtEntries(BuildMadt(config.cpus))[3], testing::StartsWith("01 0c 02"));
}

TEST(Madt, EntryForMatIsEnabled) {
  const CpuEntry cpu{.uid = 3, .apic_id = 5, .enabled_at_boot = false};
  EXPECT_EQ(Hex(MadtCpuEntry(cpu, kMadtEnabled)), "00 08 03 05 01 00 00 00");
}

}  // namespace
}  // namespace tidevm::firmware
