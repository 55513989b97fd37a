// What every kernel format comes down to once it lies in guest memory.
#pragma once

#include <asm/bootparam.h>

#include <string>

#include "tidevm/ids.h"
#include "vmm/boot/guest_memory.h"

namespace tidevm::boot {

struct LoadedKernel {
  Gpa entry = 0;   ///< 64-bit entry point: long mode, paging on, boot_params in RSI
  GpaRange range;  ///< everything that the kernel needs for itself, zeroed data included
  std::string format;
  std::string note;  ///< a warning for the log; mostly empty

  /// The bzImage's own setup header, or what stands in for it where the file has none.
  ::setup_header header = {};
};

}  // namespace tidevm::boot
