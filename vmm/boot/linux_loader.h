// Everything that guest memory must hold before Linux is entered.
#pragma once

#include <string>

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/boot/boot_entry.h"
#include "vmm/boot/guest_memory.h"

namespace tidevm::boot {

/// What to boot. The descriptors are borrowed, and only read with pread; keeping them open lets a
/// guest reset load the same files again, whatever has become of their names.
struct BootRequest {
  int kernel_fd = -1;
  std::string kernel_name;  ///< for messages
  int initrd_fd = -1;       ///< -1: none
  std::string initrd_name;  ///< for messages
  std::string command_line;
  Gpa acpi_rsdp = 0;
};

struct LoadedGuest {
  BootEntry entry;
  std::string image_format;  ///< "bzImage 2.15, lz4 payload unpacked on the host"
  std::string note;          ///< a warning for the log; mostly empty
  GpaRange kernel;           ///< all that the kernel occupies, its zeroed data included
  GpaRange initrd;           ///< size 0: none
};

/// Loads kernel, initrd, command line, boot_params, page tables and GDT. Called by the machine
/// thread at start and at each guest reset, with `memory` zero (new, or after Clear()) and no vCPU
/// running; the ACPI tables are not written here. Where it fails, what is in `memory` is undefined.
///
/// Error messages name the file, what is wrong with it, the value, the limit and what to do. Codes:
/// kInvalidArgument (not a kernel, empty initrd, NUL in the command line), kUnsupported (another
/// machine or too old a kernel), kCorrupt (truncated or damaged), kLimitExceeded (does not fit),
/// kIo (reading failed).
Result<LoadedGuest> LoadLinux(const GuestMemory& memory, const BootRequest& request);

}  // namespace tidevm::boot
