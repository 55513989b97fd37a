// The initial RAM disk, into guest memory.
#pragma once

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/guest_memory.h"

namespace tidevm::boot {

/// Puts all of `file` at the highest page below both the end of low RAM and `last_address`, where
/// it is out of the way of a kernel that ends at `kernel_end`. `last_address` is the highest
/// address that the initrd may occupy (Documentation/arch/x86/boot.rst, "initrd_addr_max").
///
/// Fails with kLimitExceeded where there is no room above the kernel, kInvalidArgument for an empty
/// file.
Result<GpaRange> LoadInitrd(const GuestMemory& memory, const ByteSource& file, Gpa kernel_end,
                            Gpa last_address);

}  // namespace tidevm::boot
