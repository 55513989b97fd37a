#include "firmware/acpi_tables.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "firmware/acpi_config.h"
#include "firmware/aml_path.h"
#include "firmware/bytes.h"
#include "firmware/dsdt.h"
#include "firmware/fadt.h"
#include "firmware/madt.h"
#include "firmware/table.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::firmware {
namespace {

constexpr std::size_t kAlignment = 16;  // the RSDP is searched for in such steps
constexpr std::size_t kRsdpSize = 36;
constexpr std::size_t kXsdtEntries = 2;
constexpr std::size_t kXsdtSize = kTableHeaderSize + kXsdtEntries * sizeof(Gpa);

std::size_t AlignUp(std::size_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

/// ACPI 6.4, 5.2.5.3.
Bytes BuildRsdp(Gpa xsdt) {
  constexpr std::size_t kFirstVersionSize = 20;
  constexpr std::size_t kChecksumOffset = 8;
  constexpr std::size_t kExtendedChecksumOffset = 32;
  constexpr std::uint8_t kRevision = 2;
  constexpr std::uint32_t kNoRsdt = 0;
  Bytes rsdp;
  AppendText(rsdp, "RSD PTR ");
  Append(rsdp, std::uint8_t{0});  // checksum
  AppendText(rsdp, kOemId);
  Append(rsdp, kRevision);
  Append(rsdp, kNoRsdt);
  Append(rsdp, static_cast<std::uint32_t>(kRsdpSize));
  Append(rsdp, xsdt);
  Append(rsdp, std::uint32_t{0});  // extended checksum, reserved
  rsdp[kChecksumOffset] = Checksum(std::span(rsdp).first(kFirstVersionSize));
  rsdp[kExtendedChecksumOffset] = Checksum(rsdp);
  return rsdp;
}

Bytes BuildXsdt(Gpa fadt, Gpa madt) {
  constexpr std::uint8_t kRevision = 1;
  Table xsdt("XSDT", kRevision);
  xsdt.Append(fadt);
  xsdt.Append(madt);
  return std::move(xsdt).Finish();
}

Result<void> CheckConfig(const AcpiConfig& config, Gpa base) {
  if (base % kAlignment != 0) {
    return Fail(ErrorCode::kInvalidArgument, "ACPI tables at {:#x}: the address is not 16-aligned",
                base);
  }
  if (config.cpus.empty() || !config.cpus.front().enabled_at_boot) {
    return Fail(ErrorCode::kInvalidArgument, "ACPI tables: CPU 0 is not there at boot");
  }
  if (config.cpus.size() > aml::Path::kNumberedLimit) {
    return Fail(ErrorCode::kLimitExceeded, "ACPI tables for {} CPUs: there are names for {}",
                config.cpus.size(), aml::Path::kNumberedLimit);
  }
  for (std::size_t i = 0; i < config.cpus.size(); ++i) {
    if (config.cpus[i].uid != i) {
      return Fail(ErrorCode::kInvalidArgument, "ACPI tables: CPU {} is in place {} of the list",
                  config.cpus[i].uid, i);
    }
    if (i > 0 && config.cpus[i].apic_id <= config.cpus[i - 1].apic_id) {
      return Fail(ErrorCode::kInvalidArgument,
                  "ACPI tables: APIC id {} of CPU {} is not above that of the CPU before it",
                  config.cpus[i].apic_id, i);
    }
  }
  return {};
}

void Place(AcpiTables& out, std::string signature, std::size_t offset, const Bytes& table) {
  out.bytes.resize(std::max(out.bytes.size(), offset + table.size()));
  std::ranges::copy(table, out.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  out.tables.push_back(
      NamedTable{.signature = std::move(signature), .offset = offset, .size = table.size()});
}

}  // namespace

Result<AcpiTables> BuildAcpiTables(const AcpiConfig& config, Gpa base, std::size_t capacity) {
  if (auto checked = CheckConfig(config, base); !checked) {
    return tl::make_unexpected(std::move(checked).error());
  }
  // The FADT has a fixed size, so where each table lies is known before what it points at.
  const Bytes madt = BuildMadt(config.cpus);
  const Bytes dsdt = BuildDsdt(config);
  const std::size_t fadt_size = BuildFadt(0).size();
  const std::size_t xsdt_offset = AlignUp(kRsdpSize);
  const std::size_t fadt_offset = AlignUp(xsdt_offset + kXsdtSize);
  const std::size_t madt_offset = AlignUp(fadt_offset + fadt_size);
  const std::size_t dsdt_offset = AlignUp(madt_offset + madt.size());
  const std::size_t needed = dsdt_offset + dsdt.size();
  if (needed > capacity) {
    return Fail(ErrorCode::kLimitExceeded,
                "ACPI tables for {} CPUs need {} bytes, there is room for {}; lower the maximum of "
                "CPUs",
                config.cpus.size(), needed, capacity);
  }
  AcpiTables out;
  out.base = base;
  out.rsdp = base;
  Place(out, "RSDP", 0, BuildRsdp(base + xsdt_offset));
  Place(out, "XSDT", xsdt_offset, BuildXsdt(base + fadt_offset, base + madt_offset));
  Place(out, "FACP", fadt_offset, BuildFadt(base + dsdt_offset));
  Place(out, "APIC", madt_offset, madt);
  Place(out, "DSDT", dsdt_offset, dsdt);
  return out;
}

}  // namespace tidevm::firmware
