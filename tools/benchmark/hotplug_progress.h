// How far additions and removals have come, from what the VM and its guest said of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/benchmark/measured_vm.h"
#include "tools/benchmark/qmp_link.h"

namespace tidevm::benchmark {

/// How often something arrived, and when last.
struct Arrivals {
  std::uint32_t count = 0;
  Clock::time_point last;
  void Note(Clock::time_point when) {
    ++count;
    last = when;
  }
};

struct HotplugProgress {
  Arrivals answers;                                    // of commands
  Arrivals registered;                                 // _OST of an addition: done
  Arrivals online;                                     // the guest's lines
  Arrivals in_progress;                                // _OST of a removal: the guest tries
  Arrivals gone;                                       // the guest's lines
  Arrivals deleted;                                    // DEVICE_DELETED
  Arrivals reported;                                   // _OST of a removal: done
  Arrivals done;                                       // tidevm's operations
  std::vector<std::chrono::microseconds> online_took;  // by the guest's clock
  std::string failure;                                 // what went wrong, if something did

  void Note(const QmpMessage& message);
  void Note(const StampedLine& line);
};

}  // namespace tidevm::benchmark
