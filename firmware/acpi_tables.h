// The ACPI tables of a machine, ready to be copied into guest memory. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "firmware/acpi_config.h"
#include "firmware/bytes.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::firmware {

/// Where one table lies in AcpiTables::bytes. The signature of the RSDP is given as "RSDP".
struct NamedTable {
  std::string signature;
  std::size_t offset = 0;
  std::size_t size = 0;
};

struct AcpiTables {
  Gpa base = 0;
  Bytes bytes;                     // goes to `base`
  std::vector<NamedTable> tables;  // RSDP, XSDT, FACP, APIC, DSDT
  Gpa rsdp = 0;                    // equals `base`

  std::span<const std::byte> Contents(const NamedTable& table) const {
    return std::span(bytes).subspan(table.offset, table.size);
  }
};

/// Builds RSDP (revision 2), XSDT, FADT, MADT and DSDT for `capacity` bytes at `base`, which is
/// 16-byte aligned. The same input gives the same bytes.
/// Fails with kInvalidArgument when `config.cpus` or `base` is not as their comments say, with
/// kLimitExceeded when the tables do not fit or there are more than 4096 CPUs.
Result<AcpiTables> BuildAcpiTables(const AcpiConfig& config, Gpa base, std::size_t capacity);

}  // namespace tidevm::firmware
