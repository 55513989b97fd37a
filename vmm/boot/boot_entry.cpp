#include "vmm/boot/boot_entry.h"

#include <array>
#include <span>

#include "tidevm/guest_layout.h"

namespace tidevm::boot {
namespace {

// Intel SDM volume 3, 4.5 "4-Level Paging".
constexpr std::uint64_t kPresent = 1U << 0;
constexpr std::uint64_t kWritable = 1U << 1;
constexpr std::uint64_t kLargePage = 1U << 7;
constexpr std::uint64_t kLargePageSize = 2ULL << 20;
constexpr std::size_t kTableEntries = 512;
constexpr std::size_t kDirectories = 4;  // of 1 GiB each

using Table = std::array<std::uint64_t, kTableEntries>;

/// In the order in which they lie in guest memory.
struct PageTables {
  Table root{};
  Table directory_pointers{};
  std::array<Table, kDirectories> directories{};
};
static_assert(layout::kPageTables % GuestMemory::kPageSize == 0);
static_assert(layout::kPageTables + sizeof(PageTables) <= layout::kCommandLine);

// Intel SDM volume 3, 3.4.5 "Segment Descriptors": flat, 4 KiB granularity, ring 0, accessed.
constexpr std::uint64_t kCode64 = 0x00af9b000000ffff;  // L, execute and read
constexpr std::uint64_t kData = 0x00cf93000000ffff;    // read and write
// Linux's __BOOT_CS and __BOOT_DS, which the protocol fixes.
constexpr std::uint16_t kBootCs = 0x10;
constexpr std::uint16_t kBootDs = 0x18;
constexpr std::array<std::uint64_t, 4> kGdt = {0, 0, kCode64, kData};
static_assert(layout::kGdt + sizeof(kGdt) <= layout::kBootParams);

PageTables IdentityMap() {
  PageTables tables;
  Gpa next_table = layout::kPageTables + sizeof(Table);
  tables.root[0] = next_table | kPresent | kWritable;
  Gpa mapped = 0;
  for (std::size_t i = 0; i < kDirectories; ++i) {
    next_table += sizeof(Table);
    tables.directory_pointers.at(i) = next_table | kPresent | kWritable;
    for (std::uint64_t& entry : tables.directories.at(i)) {
      entry = mapped | kPresent | kWritable | kLargePage;
      mapped += kLargePageSize;
    }
  }
  return tables;
}

}  // namespace

Result<BootEntry> WriteBootEntry(const GuestMemory& memory, Gpa kernel_entry) {
  const PageTables tables = IdentityMap();
  return memory.Write(layout::kPageTables, std::as_bytes(std::span(&tables, 1)))
      .and_then([&] { return memory.Write(layout::kGdt, std::as_bytes(std::span(kGdt))); })
      .map([&] {
        return BootEntry{.rip = kernel_entry,
                         .boot_params = layout::kBootParams,
                         .page_table_root = layout::kPageTables,
                         .gdt_base = layout::kGdt,
                         .gdt_limit = sizeof(kGdt) - 1,
                         .code_selector = kBootCs,
                         .data_selector = kBootDs};
      });
}

}  // namespace tidevm::boot
