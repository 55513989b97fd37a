// Resource descriptors, the content of _CRS. ACPI 6.4, 6.4.
#pragma once

#include <cstdint>
#include <vector>

#include "firmware/aml.h"
#include "firmware/bytes.h"
#include "tidevm/ids.h"

namespace tidevm::firmware::aml {

/// One encoded descriptor.
struct Resource {
  Bytes bytes;
};

/// IO (Decode16, port, port, 1, count): exactly these ports, as the guest cannot move them.
Resource Io(std::uint16_t port, std::uint8_t count);

enum class Trigger { kLevel, kEdge };

/// Interrupt (ResourceConsumer, trigger, ActiveHigh, Exclusive) { gsi }
Resource Interrupt(Trigger trigger, Gsi gsi);

/// ResourceTemplate () { resources }, as a Buffer.
Term ResourceTemplate(const std::vector<Resource>& resources);

}  // namespace tidevm::firmware::aml
