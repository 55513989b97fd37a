// What one operation cost the host: CPU time and exits, between two looks.
#pragma once

#include <optional>

#include "guest-tests/harness/process_usage.h"
#include "tidevm/result.h"
#include "tools/benchmark/kvm_counters.h"
#include "tools/benchmark/measured_vm.h"

namespace tidevm::benchmark {

struct Usage {
  std::optional<guest_tests::CpuTime> cpu_time;  // nullopt: this kernel does not say
  std::optional<KvmCounters> kvm;                // nullopt: debugfs does not show it
  std::optional<KvmCounters> own_exits;          // tidevm's query-metrics, by kind
};

/// The look before: CPU time last, so that the looking is not counted.
Result<Usage> LookBefore(MeasuredVm& vm);

/// Looks again, CPU time first, and gives what was spent: {"cpu-ns": {"vcpus", "others"}, "kvm":
/// {NAME: COUNT}, "exits": {KIND: COUNT}}, without those parts that are not known.
Result<Json> SpentSince(MeasuredVm& vm, const Usage& before);

}  // namespace tidevm::benchmark
