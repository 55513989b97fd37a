// Which host CPUs a thread may use.
#pragma once

#include <sys/types.h>

#include <optional>

#include "tidevm/cpu_set.h"
#include "tidevm/result.h"

namespace tidevm::vcpu {

/// sched_setaffinity(2). kInvalidArgument: none of `host_cpus` is a CPU that this process may use.
Result<void> SetThreadAffinity(pid_t thread, const CpuSet& host_cpus);

/// sched_getaffinity(2); nullopt where the thread is gone.
std::optional<CpuSet> GetThreadAffinity(pid_t thread);

}  // namespace tidevm::vcpu
