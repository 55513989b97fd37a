// Puts CPUs online as they come, which nothing else in the guest does.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "uevents.h"

namespace tidevm::guest {

inline constexpr const char* kCpuFolder = "/sys/devices/system/cpu/";

// "online", "possible", "present" or "offline": the kernel's own list, as it stands now.
std::string CpuList(const char* which);

// As CpuList("online"); empty where that cannot be read.
std::set<int> OnlineCpus();

// The same set by ACPI _UID, which is how the host knows a CPU. The kernel's own numbers follow the
// order in which CPUs came.
std::set<int> AcpiIds(const char* which);

struct Switched {
  int error = 0;  // 0, or errno
  long long microseconds = 0;
};

// Writes to the CPU's `online`, by the kernel's number, and says how long that took: the write
// returns when the CPU is up (or down), or is not going to be.
Switched SwitchCpu(int cpu, bool online);

class Cpus {
 public:
  // `announce` gets "cpu N online ..." and the like, a line for each change.
  explicit Cpus(std::function<void(const std::string&)> announce)
      : announce_(std::move(announce)) {}

  void set_auto_online(bool on);
  bool auto_online() const { return auto_online_; }

  // Every present CPU that is not online yet. Also after lost uevents.
  void OnlineAllPresent();

  void HandleUevent(const Uevent& event);

 private:
  void PutOnline(int cpu);

  std::function<void(const std::string&)> announce_;
  bool auto_online_ = true;
};

}  // namespace tidevm::guest
