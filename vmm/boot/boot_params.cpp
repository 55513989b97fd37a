#include "vmm/boot/boot_params.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

constexpr std::uint8_t kUndefinedLoader = 0xff;
constexpr Gpa kVgaStart = 0xa0000;
constexpr Gpa kKvmPagesEnd = layout::kKvmTss + 3 * GuestMemory::kPageSize;

static_assert(sizeof(::boot_params) == GuestMemory::kPageSize);
static_assert(layout::kBootParams + sizeof(::boot_params) <= layout::kPageTables);
static_assert(layout::kCommandLineEnd <= layout::kLowRamEnd);

E820Entry Entry(Gpa start, Gpa end, E820Type type) {
  return {.range = {.start = start, .size = end - start}, .type = type};
}

}  // namespace

std::vector<E820Entry> MemoryMap(std::uint64_t memory_size) {
  const std::vector<GpaRange> ram = RamRanges(memory_size);
  std::vector<E820Entry> map{
      Entry(0, layout::kLowRamEnd, E820Type::kRam),
      // Where a PC has its extended BIOS data area; nothing is there, and it is no RAM to use.
      Entry(layout::kLowRamEnd, kVgaStart, E820Type::kReserved),
      Entry(layout::kAcpiStart, layout::kHighRamStart, E820Type::kAcpi),
      Entry(layout::kHighRamStart, ram.front().end(), E820Type::kRam),
      // On Intel hosts KVM keeps pages of its own here; no device may be put over them.
      Entry(layout::kKvmIdentityMap, kKvmPagesEnd, E820Type::kReserved),
  };
  for (const GpaRange& range : std::span(ram).subspan(1)) {
    map.push_back(Entry(range.start, range.end(), E820Type::kRam));
  }
  return map;
}

Result<void> WriteCommandLine(const GuestMemory& memory, const ::setup_header& header,
                              std::string_view command_line) {
  constexpr std::uint64_t kOurLimit = layout::kCommandLineEnd - layout::kCommandLine - 1;
  const std::uint64_t limit = std::min<std::uint64_t>(header.cmdline_size, kOurLimit);
  if (command_line.size() > limit) {
    return Fail(ErrorCode::kLimitExceeded,
                "the kernel command line has {} characters, {} takes at most {}; shorten --cmdline",
                Grouped(command_line.size()), limit == kOurLimit ? "tidevm" : "this kernel",
                Grouped(limit));
  }
  if (const auto at = command_line.find('\0'); at != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the kernel command line has a NUL character at position {}; take it out", at);
  }
  // The NUL behind it is there already: the memory is zero.
  return memory.Write(layout::kCommandLine, std::as_bytes(std::span(command_line)));
}

Result<void> WriteBootParams(const GuestMemory& memory, const ::setup_header& header,
                             const GpaRange& initrd, Gpa acpi_rsdp) {
  ::boot_params params = {};
  params.hdr = header;
  params.hdr.type_of_loader = kUndefinedLoader;
  params.hdr.ext_loader_type = 0;
  params.hdr.ext_loader_ver = 0;
  params.hdr.setup_data = 0;  // a list of ours; whatever the file had there leads nowhere
  params.hdr.cmd_line_ptr = static_cast<std::uint32_t>(layout::kCommandLine);
  // All RAM for an initrd lies below the MMIO gap, so 32 bits are enough.
  params.hdr.ramdisk_image = static_cast<std::uint32_t>(initrd.start);
  params.hdr.ramdisk_size = static_cast<std::uint32_t>(initrd.size);
  params.acpi_rsdp_addr = acpi_rsdp;
  for (const E820Entry& entry : MemoryMap(memory.size())) {
    params.e820_table[params.e820_entries++] = {.addr = entry.range.start,
                                                .size = entry.range.size,
                                                .type = static_cast<std::uint32_t>(entry.type)};
  }
  return memory.Write(layout::kBootParams, std::as_bytes(std::span(&params, 1)));
}

}  // namespace tidevm::boot
