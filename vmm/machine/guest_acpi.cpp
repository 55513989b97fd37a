#include "vmm/machine/guest_acpi.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "tidevm/guest_layout.h"

namespace tidevm::machine {

Result<firmware::AcpiTables> BuildGuestAcpi(const vcpu::Topology& topology, const CpuSet& present) {
  firmware::AcpiConfig config;
  config.pvpanic = true;
  config.cpus.reserve(topology.max());
  for (CpuId cpu = 0; cpu < topology.max(); ++cpu) {
    config.cpus.push_back(
        {.uid = cpu, .apic_id = topology.ApicIdOf(cpu), .enabled_at_boot = present.Contains(cpu)});
  }
  return firmware::BuildAcpiTables(config, layout::kAcpiStart,
                                   layout::kAcpiEnd - layout::kAcpiStart);
}

Result<std::vector<std::string>> DumpAcpi(const firmware::AcpiTables& tables,
                                          const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return FailErrno(error.value(), "--dump-acpi {}: cannot make the folder", directory);
  }
  std::vector<std::string> written;
  for (const firmware::NamedTable& table : tables.tables) {
    std::string name = table.signature;
    std::ranges::transform(name, name.begin(), [](unsigned char letter) {
      return static_cast<char>(std::tolower(letter));
    });
    const std::string path = fmt::format("{}/{}.dat", directory, name);
    const std::span<const std::byte> contents = tables.Contents(table);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(contents.data()),
               static_cast<std::streamsize>(contents.size()));
    file.close();
    if (!file) {
      return Fail(ErrorCode::kIo, "--dump-acpi {}: cannot write {}", directory, path);
    }
    written.push_back(path);
  }
  return written;
}

}  // namespace tidevm::machine
