#include "vmm/sandbox/sandbox.h"

#include <malloc.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace tidevm::sandbox {

Result<Sandbox> Sandbox::Prepare(const SandboxOptions& options) {
  Sandbox sandbox;
  if (options.mode == Mode::kOff) {
    return sandbox;
  }
  // glibc reads the time zone when it first converts a time, also one in UTC.
  ::tzset();
  // One arena for all threads, which hardly allocate: a thread's own would be grown with mprotect,
  // and trimmed after a look into /proc.
  ::mallopt(M_ARENA_MAX, 1);
  if (options.mode == Mode::kOn) {
    if (auto installed = InstallViolationHandler(options.report); !installed) {
      return tl::make_unexpected(std::move(installed.error()));
    }
  }
  const Violation violation = options.mode == Mode::kOn ? Violation::kTrap : Violation::kLog;
  const ProcessFacts facts{.pid = ::getpid(), .removes_socket = options.removes_socket};
  for (const auto& [kind, filter] :
       {std::pair{ThreadKind::kMachine, &sandbox.machine_}, {ThreadKind::kVcpu, &sandbox.vcpu_}}) {
    auto compiled = Filter::Compile(RulesOf(kind, facts), violation);
    if (!compiled) {
      return tl::make_unexpected(std::move(compiled.error()));
    }
    *filter = std::move(*compiled);
  }
  return sandbox;
}

Result<void> Sandbox::Enter(ThreadKind kind, std::string_view name) const {
  const std::optional<Filter>& filter = kind == ThreadKind::kMachine ? machine_ : vcpu_;
  if (!filter) {
    return {};
  }
  NameThisThread(name);
  return filter->Install();
}

}  // namespace tidevm::sandbox
