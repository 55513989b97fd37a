// Linux's bzImage, the format of every distribution's vmlinuz.
#pragma once

#include <cstddef>
#include <span>

#include "tidevm/result.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/loaded_kernel.h"

namespace tidevm::boot {

/// How many of a file's first bytes IsBzImage() wants to see.
inline constexpr std::size_t kBzImageHeadSize = 0x206;

/// Whether `head` has the boot flag and the "HdrS" magic number of a setup header.
bool IsBzImage(std::span<const std::byte> head);

/// Unpacks the payload on the host and loads the ELF kernel in it. A payload that cannot be
/// unpacked here, or that is not ELF, stays packed: then the file's protected-mode part is loaded
/// at the address it prefers, the entry is its own decompressor's (64-bit boot protocol), and
/// `note` says so. A damaged payload is an error, since the guest could not unpack it either.
///
/// Source: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", "Loading The Rest of The
/// Kernel" and "64-bit Boot Protocol". Nothing in the file is trusted. Fails with kUnsupported for
/// a kernel older than boot protocol 2.08 or without a 64-bit entry, kCorrupt for a truncated or
/// damaged one, kLimitExceeded where guest memory is too small.
Result<LoadedKernel> LoadBzImage(const GuestMemory& memory, const ByteSource& file);

}  // namespace tidevm::boot
