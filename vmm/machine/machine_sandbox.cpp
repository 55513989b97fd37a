// What a machine gives up before it runs.
#include <spdlog/spdlog.h>

#include <utility>

#include "vmm/machine/machine.h"
#include "vmm/sandbox/privileges.h"

namespace tidevm::machine {

Result<void> Machine::PrepareSandbox() {
  switch (options_.seccomp) {
    case sandbox::Mode::kOn:
      break;
    case sandbox::Mode::kLog:
      spdlog::info("seccomp: calls outside the lists are made, and go to the kernel's log");
      break;
    case sandbox::Mode::kOff:
      spdlog::info("seccomp: off{}",
                   sandbox::kSanitized ? ", as in all builds with sanitizers" : "");
      break;
  }
  const bool json = options_.log_format == LogFormat::kJson;
  return sandbox::Sandbox::Prepare(
             {.mode = options_.seccomp,
              .report = json ? sandbox::ReportStyle::kJson : sandbox::ReportStyle::kText,
              .removes_socket = !options_.control.empty()})
      .map([this](sandbox::Sandbox prepared) { sandbox_ = std::move(prepared); });
}

/// Threads inherit both, so before the first of them.
Result<void> Machine::Confine() {
  return sandbox::DropPrivileges().and_then(
      [this] { return sandbox_->Enter(sandbox::ThreadKind::kMachine, "machine"); });
}

}  // namespace tidevm::machine
