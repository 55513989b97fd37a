// The filters of one process.
#pragma once

#include <optional>
#include <string_view>

#include "tidevm/result.h"
#include "vmm/sandbox/allow_list.h"
#include "vmm/sandbox/filter.h"
#include "vmm/sandbox/mode.h"
#include "vmm/sandbox/violation.h"

namespace tidevm::sandbox {

struct SandboxOptions {
  Mode mode = kDefaultMode;
  ReportStyle report = ReportStyle::kText;
  bool removes_socket = true;  // ProcessFacts
};

/// Constant once it is prepared; any thread. Where the mode is kOff it does nothing.
class Sandbox {
 public:
  /// Everything that a filtered thread could not do any more. Machine thread, while it is the only
  /// one; before a terminal is made raw, whose handler of SIGSYS goes first.
  static Result<Sandbox> Prepare(const SandboxOptions& options);

  /// The calling thread is from now on one of that kind, called `name` where it goes wrong. Its
  /// process has dropped its privileges (DropPrivileges).
  Result<void> Enter(ThreadKind kind, std::string_view name) const;

 private:
  Sandbox() = default;

  std::optional<Filter> machine_;  // none: off
  std::optional<Filter> vcpu_;
};

}  // namespace tidevm::sandbox
