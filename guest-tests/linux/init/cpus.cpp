#include "cpus.h"

#include <chrono>

#include "text.h"

namespace tidevm::guest {
namespace {

constexpr std::string_view kCpuDevice = "/devices/system/cpu/cpu";

std::string OnlineFile(int cpu) { return kCpuFolder + ("cpu" + std::to_string(cpu)) + "/online"; }

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

Switched SwitchCpu(int cpu, bool online) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const int error = WriteFile(OnlineFile(cpu), online ? "1" : "0");
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  return {.error = error, .microseconds = took.count()};
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

void Cpus::PutOnline(int cpu) {
  if (ReadLine(OnlineFile(cpu)) == "1") {
    return;
  }
  const Switched switched = SwitchCpu(cpu, true);
  announce_("cpu " + std::to_string(cpu) +
            (switched.error == 0 ? " online" : " failed errno=" + std::to_string(switched.error)) +
            " uptime=" + Uptime() + " took-us=" + std::to_string(switched.microseconds));
}

}  // namespace tidevm::guest
