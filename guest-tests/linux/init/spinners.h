// Busy children, to have CPUs that are really in use when they are taken away.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tidevm::guest {

class Spinners {
 public:
  // `pinned`: each one stays on a CPU of its own, round the online ones. Returns 0 or errno.
  int Start(int count, bool pinned);

  // Ends them all; returns how many there were.
  int Stop();

  // A child that was reaped elsewhere.
  void Forget(pid_t pid);

 private:
  std::vector<pid_t> children_;
};

}  // namespace tidevm::guest
