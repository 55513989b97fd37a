#include "tools/benchmark/host_facts.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "guest-tests/harness/small_files.h"

namespace tidevm::benchmark {
namespace {

using guest_tests::ReadSmallFile;

/// The value of the first line of /proc/cpuinfo that is about `key`.
std::string CpuInfo(std::string_view cpuinfo, std::string_view key) {
  while (!cpuinfo.empty()) {
    const std::string_view line = cpuinfo.substr(0, cpuinfo.find('\n'));
    cpuinfo.remove_prefix(std::min(line.size() + 1, cpuinfo.size()));
    const std::size_t colon = line.find(": ");
    if (line.starts_with(key) && colon != std::string_view::npos) {
      return std::string(line.substr(colon + 2));
    }
  }
  return "";
}

/// The bit that says so is there in every virtual machine.
bool IsVirtual(std::string_view cpuinfo) {
  return (" " + CpuInfo(cpuinfo, "flags") + " ").find(" hypervisor ") != std::string::npos;
}

}  // namespace

nlohmann::json HostFacts() {
  utsname kernel{};
  ::uname(&kernel);
  struct sysinfo memory {};
  ::sysinfo(&memory);
  const std::string cpuinfo = ReadSmallFile("/proc/cpuinfo").value_or("");
  const bool emulated = std::getenv("TIDEVM_IN_KVM_HOST") != nullptr;  // tools/kvm-host sets it
  return {{"kind", emulated             ? "emulated"
                   : IsVirtual(cpuinfo) ? "nested"
                                        : "hardware"},
          {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"kernel", kernel.release},
          {"processor", CpuInfo(cpuinfo, "model name")},
          {"memory-mib", memory.totalram * memory.mem_unit >> 20}};
}

}  // namespace tidevm::benchmark
