#include "vmm/vcpu/cpuid.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tidevm::vcpu {
namespace {

using Entry = kvm_cpuid_entry2;

Entry Leaf(std::uint32_t function, std::uint32_t index, std::uint32_t eax, std::uint32_t ebx,
           std::uint32_t ecx, std::uint32_t edx) {
  Entry entry{};
  entry.function = function;
  entry.index = index;
  entry.eax = eax;
  entry.ebx = ebx;
  entry.ecx = ecx;
  entry.edx = edx;
  return entry;
}

/// A host with every leaf that matters and every bit set that must go.
std::vector<Entry> HostTable(std::uint32_t vendor_ebx) {
  return {Leaf(0, 0, 0x1f, vendor_ebx, 0, 0),
          Leaf(1, 0, 0, 0xffff0000, (1U << 5) | (1U << 24), 0),
          Leaf(4, 0, (1U << 5) | 1, 0, 0, 0),  // L1 data
          Leaf(4, 3, (3U << 5) | 3, 0, 0, 0),  // L3
          Leaf(4, 4, 0, 0, 0, 0),              // end
          Leaf(0xb, 0, 9, 9, 9, 9),
          Leaf(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d),
          Leaf(0x80000001, 0, 0, 0, 1U << 2, 0),
          Leaf(0x80000008, 0, 0, 0, 0xffffffff, 0),
          Leaf(0x8000000a, 0, 1, 8, 0, 0),
          Leaf(0x8000001d, 3, (3U << 5) | 3, 0, 0, 0),
          Leaf(0x8000001e, 0, 9, 9, 9, 0)};
}

constexpr std::uint32_t kAmd = 0x68747541;
constexpr std::uint32_t kIntel = 0x756e6547;

const Entry* Find(const std::vector<Entry>& table, std::uint32_t function,
                  std::uint32_t index = 0) {
  const auto found = std::ranges::find_if(table, [&](const Entry& entry) {
    return entry.function == function && entry.index == index;
  });
  return found == table.end() ? nullptr : &*found;
}

class Cpuid : public ::testing::Test {
 protected:
  // CPU 9 is socket 1, core 1, thread 1; APIC id 8 + 2 + 1 = 11.
  Topology topology_ = *Topology::Create(12, {.sockets = 2, .cores = 3, .threads = 2});
  std::vector<Entry> table_ = BuildCpuid(HostTable(kAmd), topology_, 9, true);
};

TEST_F(Cpuid, NestedVirtualisationIsHidden) {
  EXPECT_EQ(Find(table_, 1)->ecx & (1U << 5), 0U);
  EXPECT_EQ(Find(table_, 0x80000001)->ecx & (1U << 2), 0U);
  EXPECT_EQ(Find(table_, 0x8000000a), nullptr);
}

TEST_F(Cpuid, TheHypervisorIsVisible) {
  EXPECT_NE(Find(table_, 1)->ecx & (1U << 31), 0U);
  EXPECT_EQ(Find(table_, 0x40000000)->ebx, 0x4b4d564bU);
}

TEST_F(Cpuid, TheDeadlineTimerFollowsKvm) {
  EXPECT_NE(Find(table_, 1)->ecx & (1U << 24), 0U);
  const auto without = BuildCpuid(HostTable(kIntel), topology_, 9, false);
  EXPECT_EQ(Find(without, 1)->ecx & (1U << 24), 0U);
}

TEST_F(Cpuid, TheApicIdIsTheSameInEveryLeaf) {
  EXPECT_EQ(Find(table_, 1)->ebx >> 24, 11U);
  EXPECT_EQ(Find(table_, 0xb)->edx, 11U);
  EXPECT_EQ(Find(table_, 0x1f, 1)->edx, 11U);
  EXPECT_EQ(Find(table_, 0x8000001e)->eax, 11U);
}

TEST_F(Cpuid, LevelsAreSizedForTheMaximum) {
  EXPECT_EQ((Find(table_, 1)->ebx >> 16) & 0xff, 8U);  // 3 bits below the package
  EXPECT_EQ(Find(table_, 0xb, 0)->eax, 1U);
  EXPECT_EQ(Find(table_, 0xb, 0)->ebx, 2U);
  EXPECT_EQ(Find(table_, 0xb, 0)->ecx, 0x100U);
  EXPECT_EQ(Find(table_, 0xb, 1)->eax, 3U);
  EXPECT_EQ(Find(table_, 0xb, 1)->ebx, 6U);
  EXPECT_EQ(Find(table_, 0xb, 1)->ecx, 0x201U);
  EXPECT_EQ(Find(table_, 0xb, 2)->ebx, 0U);
  EXPECT_EQ(Find(table_, 0x80000008)->ecx & 0xff, 5U);
  EXPECT_EQ((Find(table_, 0x80000008)->ecx >> 12) & 0xf, 3U);
}

TEST_F(Cpuid, CachesAreSharedByCoreAndPackage) {
  EXPECT_EQ((Find(table_, 4, 0)->eax >> 14) & 0xfff, 1U);
  EXPECT_EQ((Find(table_, 4, 3)->eax >> 14) & 0xfff, 7U);
  EXPECT_EQ(Find(table_, 4, 3)->eax >> 26, 3U);
  EXPECT_EQ(Find(table_, 4, 4)->eax, 0U);
  EXPECT_EQ((Find(table_, 0x8000001d, 3)->eax >> 14) & 0xfff, 7U);
}

TEST_F(Cpuid, AmdNamesCoreAndNode) {
  EXPECT_EQ(Find(table_, 0x8000001e)->ebx, 0x101U);  // core 1, two threads a core
  EXPECT_EQ(Find(table_, 0x8000001e)->ecx, 1U);      // node = socket
  EXPECT_NE(Find(table_, 0x80000001)->ecx & (1U << 1), 0U);
}

TEST_F(Cpuid, AnAmdHostWithoutTopologyExtensionsStillTellsOfThreads) {
  std::vector<Entry> old = HostTable(kAmd);
  std::erase_if(old, [](const Entry& entry) { return entry.function >= 0x8000001d; });
  old.push_back(Leaf(0x80000000, 0, 0x80000008, 0, 0, 0));
  const auto table = BuildCpuid(old, topology_, 9, true);
  EXPECT_NE(Find(table, 0x80000001)->ecx & (1U << 22), 0U);
  EXPECT_EQ(Find(table, 0x80000000)->eax, 0x8000001eU);
  EXPECT_EQ(Find(table, 0x8000001e)->eax, 11U);
}

TEST_F(Cpuid, EnclavesAreHidden) {
  std::vector<Entry> host = HostTable(kIntel);
  host.push_back(Leaf(7, 0, 0, 1U << 2, 1U << 30, 0));
  host.push_back(Leaf(0x12, 0, 1, 1, 1, 1));
  const auto table = BuildCpuid(host, topology_, 0, true);
  EXPECT_EQ(Find(table, 7)->ebx, 0U);
  EXPECT_EQ(Find(table, 7)->ecx, 0U);
  EXPECT_EQ(Find(table, 0x12), nullptr);
}

TEST_F(Cpuid, AHostWithoutTopologyLeavesGetsNone) {
  std::vector<Entry> old = HostTable(kIntel);
  old.front().eax = 0xa;
  const auto table = BuildCpuid(old, topology_, 0, true);
  EXPECT_EQ(Find(table, 0xb), nullptr);
  EXPECT_EQ(Find(table, 0x1f), nullptr);
}

// Pitfall 22: Linux 6.10 and later warn of a feature that the first CPU has and a later one has
// not.
TEST_F(Cpuid, TheDifferenceBetweenTwoCpusIsOnlyWhereTheyAre) {
  auto other = BuildCpuid(HostTable(kAmd), topology_, 0, true);
  ASSERT_EQ(other.size(), table_.size());
  for (std::size_t i = 0; i < other.size(); ++i) {
    const std::uint32_t function = other[i].function;
    if (function == 0x8000001e) {  // nothing but places
      continue;
    }
    const std::uint32_t apic_id_in_ebx = function == 1 ? 0xff000000 : 0;
    const std::uint32_t apic_id_in_edx = function == 0xb || function == 0x1f ? 0xffffffff : 0;
    EXPECT_EQ(other[i].eax, table_[i].eax) << std::hex << function;
    EXPECT_EQ(other[i].ebx & ~apic_id_in_ebx, table_[i].ebx & ~apic_id_in_ebx)
        << std::hex << function;
    EXPECT_EQ(other[i].ecx, table_[i].ecx) << std::hex << function;
    EXPECT_EQ(other[i].edx & ~apic_id_in_edx, table_[i].edx & ~apic_id_in_edx)
        << std::hex << function;
  }
}

}  // namespace
}  // namespace tidevm::vcpu
