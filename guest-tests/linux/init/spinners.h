// Children that use CPUs, to have some that are really in use when they are taken away; or that
// only hold a claim to CPU time, so that the kernel refuses to take any away.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

namespace tidevm::guest {

class Spinners {
 public:
  // `pinned`: each one stays on a CPU of its own, round the online ones. Returns 0 or errno.
  int Start(int count, bool pinned);

  // Sleepers with SCHED_DEADLINE, each with a claim to `percent` of a CPU's time (at most 95, by
  // sched_rt_runtime_us). Returns 0 or errno.
  int Reserve(int count, int percent);

  // One with the highest real-time priority, which lets no other process run on its CPU for so
  // long. `before` is called when all that can fail is done. Returns 0 or errno.
  int Hog(int milliseconds, const std::function<void()>& before);

  // Ends them all; returns how many there were.
  int Stop();

  // A child that was reaped elsewhere.
  void Forget(pid_t pid);

 private:
  std::vector<pid_t> children_;
};

}  // namespace tidevm::guest
