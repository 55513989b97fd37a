// The ACPI tables of a machine's guest.
#pragma once

#include <string>

#include "firmware/acpi_tables.h"
#include "tidevm/cpu_set.h"
#include "tidevm/result.h"
#include "vmm/boot/guest_memory.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::machine {

/// The tables for all possible CPUs of `topology`, with those of `present` enabled.
Result<firmware::AcpiTables> BuildGuestAcpi(const vcpu::Topology& topology, const CpuSet& present);

/// Writes each table to a file of its own in `directory` (made if missing): dsdt.dat, facp.dat, ...
/// Returns the names of the files.
Result<std::vector<std::string>> DumpAcpi(const firmware::AcpiTables& tables,
                                          const std::string& directory);

}  // namespace tidevm::machine
