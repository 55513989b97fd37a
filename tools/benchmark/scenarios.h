// What is done with one VM, from its start to its end. Each scenario starts a VM of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tidevm/result.h"
#include "tools/benchmark/first_entry.h"
#include "tools/benchmark/recorder.h"
#include "tools/benchmark/system.h"

namespace tidevm::benchmark {

/// What all scenarios need.
struct Bench {
  Programs programs;
  std::uint32_t memory_mebibytes = 512;
  std::string directory;  // for control sockets
  const FirstEntryProbe& first_entry;
  Recorder& recorder;
};

/// Boots with 1 of `max` vCPUs, and looks at the memory that the VMM takes. Samples: boot, memory.
Result<void> RunBoot(const Bench& bench, System system, std::uint32_t max);

struct CycleSettings {
  std::uint32_t max = 8;
  bool again = true;               // add and remove everything a second time
  std::chrono::milliseconds idle;  // how long to watch a VM that does nothing
};
/// The same, then adds vCPUs one by one, watches the idle VM, removes them one by one. Samples:
/// boot, memory, add, remove, idle.
Result<void> RunCycle(const Bench& bench, System system, const CycleSettings& settings);

/// Boots with 1 of `max` vCPUs, adds all others at once, and removes them at once. Samples: boot,
/// add, remove.
Result<void> RunBurst(const Bench& bench, System system, std::uint32_t to, std::uint32_t max);

/// What no hotplug can be faster than: a guest that has all its CPUs from the start puts them
/// online and takes them offline by itself (Linux with maxcpus=1), the same CPUs in the same order
/// as RunCycle(), and tells how long each took by its own clock. Samples: floor.
Result<void> RunFloor(const Bench& bench, System system, std::uint32_t cpus, bool again);

}  // namespace tidevm::benchmark
