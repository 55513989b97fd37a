#include "vmm/vcpu/thread_affinity.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace tidevm::vcpu {
namespace {

// What Linux can be built for (NR_CPUS of MAXSMP); sched_getaffinity refuses a mask that is too
// small.
constexpr CpuId kMostHostCpus = 8192;
constexpr std::size_t kMaskBytes = CPU_ALLOC_SIZE(kMostHostCpus);

struct FreeMask {
  void operator()(cpu_set_t* mask) const { CPU_FREE(mask); }
};
using Mask = std::unique_ptr<cpu_set_t, FreeMask>;

Mask EmptyMask() {
  Mask mask(CPU_ALLOC(kMostHostCpus));
  CPU_ZERO_S(kMaskBytes, mask.get());
  return mask;
}

}  // namespace

Result<void> SetThreadAffinity(pid_t thread, const CpuSet& host_cpus) {
  const Mask mask = EmptyMask();
  for (const CpuId cpu : host_cpus) {
    if (cpu < kMostHostCpus) {
      CPU_SET_S(cpu, kMaskBytes, mask.get());
    }
  }
  if (::sched_setaffinity(thread, kMaskBytes, mask.get()) == 0) {
    return {};
  }
  if (errno == EINVAL) {
    return Fail(ErrorCode::kInvalidArgument,
                "host CPUs \"{}\": none of them is one that this process may use ({})",
                host_cpus.ToString(), GetThreadAffinity(0).value_or(CpuSet{}).ToString());
  }
  return FailErrno(errno, "sched_setaffinity to host CPUs \"{}\"", host_cpus.ToString());
}

std::optional<CpuSet> GetThreadAffinity(pid_t thread) {
  const Mask mask = EmptyMask();
  if (::sched_getaffinity(thread, kMaskBytes, mask.get()) != 0) {
    return std::nullopt;
  }
  CpuSet cpus;
  for (CpuId cpu = 0; cpu < kMostHostCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, kMaskBytes, mask.get())) {
      cpus.Insert(cpu);
    }
  }
  return cpus;
}

}  // namespace tidevm::vcpu
