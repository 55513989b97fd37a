// FADT 6.3: a hardware-reduced machine with sleep and reset registers. ACPI 6.3, 5.2.9.
#pragma once

#include "firmware/bytes.h"
#include "tidevm/ids.h"

namespace tidevm::firmware {

/// `dsdt` is where the DSDT lies.
Bytes BuildFadt(Gpa dsdt);

}  // namespace tidevm::firmware
