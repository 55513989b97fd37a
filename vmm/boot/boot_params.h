// struct boot_params, the "zero page": what the loader tells Linux about the machine.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/boot/guest_memory.h"
#include "vmm/boot/loaded_kernel.h"

namespace tidevm::boot {

/// ACPI 6.4, table 15.6 "Address Range Types".
enum class E820Type : std::uint32_t { kRam = 1, kReserved = 2, kAcpi = 3 };

struct E820Entry {
  GpaRange range;
  E820Type type = E820Type::kRam;
  friend bool operator==(const E820Entry&, const E820Entry&) = default;
};

/// The memory map of a guest with `memory_size` bytes of RAM, ascending, without overlap: low RAM,
/// the ACPI tables, RAM up to the MMIO gap, the pages that KVM wants, RAM from 4 GiB on.
std::vector<E820Entry> MemoryMap(std::uint64_t memory_size);

/// Copies the command line to layout::kCommandLine with a NUL behind it. The kernel's own limit is
/// `header.cmdline_size`. Fails with kLimitExceeded for one that is too long, kInvalidArgument for
/// one with a NUL in it.
Result<void> WriteCommandLine(const GuestMemory& memory, const ::setup_header& header,
                              std::string_view command_line);

/// Writes the zero page to layout::kBootParams. `initrd` has size 0 where there is none.
/// Source: Documentation/arch/x86/boot.rst, "Details of Header Fields", and zero-page.rst.
Result<void> WriteBootParams(const GuestMemory& memory, const ::setup_header& header,
                             const GpaRange& initrd, Gpa acpi_rsdp);

}  // namespace tidevm::boot
