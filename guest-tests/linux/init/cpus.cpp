#include "cpus.h"

#include "text.h"

namespace tidevm::guest {
namespace {

constexpr std::string_view kCpuDevice = "/devices/system/cpu/cpu";

}  // namespace

std::string CpuList(const char* which) { return ReadLine(std::string(kCpuFolder) + which); }

std::set<int> OnlineCpus() { return ParseCpuList(CpuList("online")).value_or(std::set<int>()); }

std::set<int> AcpiIds(const char* which) {
  std::set<int> ids;
  for (const int cpu : ParseCpuList(CpuList(which)).value_or(std::set<int>())) {
    const std::string node = kCpuFolder + ("cpu" + std::to_string(cpu)) + "/firmware_node/uid";
    ids.insert(ParseNumber(ReadLine(node)).value_or(cpu));
  }
  return ids;
}

void Cpus::set_auto_online(bool on) {
  auto_online_ = on;
  if (on) {
    OnlineAllPresent();
  }
}

void Cpus::OnlineAllPresent() {
  const std::set<int> online = OnlineCpus();
  for (const int cpu : ParseCpuList(CpuList("present")).value_or(std::set<int>())) {
    if (!online.contains(cpu)) {
      PutOnline(cpu);
    }
  }
}

void Cpus::HandleUevent(const Uevent& event) {
  if (event.subsystem != "cpu" || !event.device.starts_with(kCpuDevice)) {
    return;
  }
  const std::optional<int> cpu = ParseNumber(event.device.substr(kCpuDevice.size()));
  if (!cpu) {
    return;
  }
  if (event.action == "add" && auto_online_) {
    PutOnline(*cpu);
  }
  if (event.action == "remove") {
    announce_("cpu " + std::to_string(*cpu) + " removed uptime=" + Uptime());
  }
}

// The write returns when the CPU is up (or is not going to be).
void Cpus::PutOnline(int cpu) {
  const std::string number = std::to_string(cpu);
  const std::string path = kCpuFolder + ("cpu" + number) + "/online";
  if (ReadLine(path) == "1") {
    return;
  }
  const int error = WriteFile(path, "1");
  announce_("cpu " + number + (error == 0 ? " online" : " failed errno=" + std::to_string(error)) +
            " uptime=" + Uptime());
}

}  // namespace tidevm::guest
