// A seccomp filter, compiled once and installed by each thread that it is for.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "tidevm/result.h"
#include "vmm/sandbox/allow_list.h"

namespace tidevm::sandbox {

/// What becomes of a call that no rule allows.
enum class Violation {
  kTrap,  // SIGSYS on that thread
  kLog,   // it is made, and the kernel logs it
};

/// Constant; any thread.
class Filter {
 public:
  /// Has libseccomp translate the rules. Needs calls that the filter may forbid.
  static Result<Filter> Compile(const std::vector<CallRule>& rules, Violation violation);

  /// For the calling thread, from now on, and for those that it starts. The process must not be
  /// able to gain privileges (DropPrivileges), or the kernel refuses. Allocates nothing.
  Result<void> Install() const;

 private:
  explicit Filter(std::vector<sock_filter> program) : program_(std::move(program)) {}

  std::vector<sock_filter> program_;
};

}  // namespace tidevm::sandbox
