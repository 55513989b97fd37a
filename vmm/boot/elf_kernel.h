// A kernel as an ELF file: vmlinux, or what a bzImage's payload unpacks to.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "tidevm/result.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/loaded_kernel.h"

namespace tidevm::boot {

/// Whether `head`, the first bytes of an image, has the ELF magic number.
bool IsElf(std::span<const std::byte> head);

/// Puts each PT_LOAD of a 64-bit x86 ELF executable at its p_paddr, and gives e_entry as the entry,
/// which for Linux is the physical address of startup_64 (Documentation/arch/x86/boot.rst,
/// "64-bit Boot Protocol", says what holds there). Bytes past p_filesz are left alone: the memory
/// is zero as it comes. `header` is filled with a stand-in.
///
/// Nothing in the file is trusted. Fails with kUnsupported for an ELF of another kind, kCorrupt for
/// one that does not hold together, kLimitExceeded where guest memory is too small.
Result<LoadedKernel> LoadElfKernel(const GuestMemory& memory, const ByteSource& image);

/// The same for an image that lies in guest memory already, at `image`, such that its first segment
/// is where it belongs: the others are moved, and what is no segment becomes zero. nullopt, with
/// nothing changed, where that cannot be done: for an image that LoadElfKernel() would refuse, too.
std::optional<LoadedKernel> SettleElfKernel(const GuestMemory& memory, GpaRange image);

}  // namespace tidevm::boot
