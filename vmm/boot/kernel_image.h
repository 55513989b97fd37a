// A kernel file of whatever format, into guest memory.
#pragma once

#include "tidevm/result.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/guest_memory.h"
#include "vmm/boot/loaded_kernel.h"

namespace tidevm::boot {

/// Loads a bzImage (LoadBzImage) or an ELF vmlinux (LoadElfKernel). For anything else it fails with
/// kInvalidArgument and says what the file looks like.
Result<LoadedKernel> LoadKernel(const GuestMemory& memory, const ByteSource& file);

}  // namespace tidevm::boot
