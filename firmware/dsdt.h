// DSDT: the devices of the machine.
#pragma once

#include "firmware/acpi_config.h"
#include "firmware/bytes.h"

namespace tidevm::firmware {

Bytes BuildDsdt(const AcpiConfig& config);

}  // namespace tidevm::firmware
