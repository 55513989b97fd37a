// What is passed to a machine instead of being opened by it, and what it gives up before it runs.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "tidevm/descriptor_name.h"
#include "vmm/machine/inherited_fd.h"
#include "vmm/machine/machine.h"
#include "vmm/sandbox/privileges.h"

namespace tidevm::machine {

/// First of all: a number that nobody passed would soon be that of a file which is opened here.
Result<void> Machine::ClaimDescriptors() {
  std::string control = options_.control;
  if (IsPassedSocket(control) && !IsDescriptorName(control)) {
    auto found = FindActivatedControl(ReadActivationEnvironment(), ::getpid());
    if (!found) {
      return tl::make_unexpected(std::move(found.error()));
    }
    control = std::move(*found);
  }
  struct Claim {
    std::string_view option;
    const std::string& value;
    Access access;
    UniqueFd& into;
  };
  for (const Claim& claim : {Claim{"--kernel", options_.kernel, Access::kRead, kernel_},
                             {"--initrd", options_.initrd, Access::kRead, initrd_},
                             {"--control", control, Access::kRead, passed_control_},
                             {"--serial", options_.serial, Access::kWrite, passed_serial_}}) {
    if (!IsDescriptorName(claim.value)) {
      continue;
    }
    auto claimed = ClaimDescriptor(claim.option, claim.value, claim.access);
    if (!claimed) {
      return tl::make_unexpected(std::move(claimed.error()));
    }
    claim.into = std::move(*claimed);
  }
  return {};
}

Result<void> Machine::PrepareSandbox() {
  switch (options_.seccomp) {
    case sandbox::Mode::kOn:
      break;
    case sandbox::Mode::kLog:
      spdlog::info("seccomp: calls outside the lists are made, and go to the kernel's log");
      break;
    case sandbox::Mode::kOff:
      spdlog::info("seccomp: off{}", sandbox::kInstrumented
                                         ? ", as in all builds with sanitizers or counted lines"
                                         : "");
      break;
  }
  const bool json = options_.log_format == LogFormat::kJson;
  return sandbox::Sandbox::Prepare(
             {.mode = options_.seccomp,
              .report = json ? sandbox::ReportStyle::kJson : sandbox::ReportStyle::kText,
              .removes_socket = !options_.control.empty() && !IsPassedSocket(options_.control)})
      .map([this](sandbox::Sandbox prepared) { sandbox_ = std::move(prepared); });
}

/// Threads inherit both, so before the first of them.
Result<void> Machine::Confine() {
  return sandbox::DropPrivileges().and_then(
      [this] { return sandbox_->Enter(sandbox::ThreadKind::kMachine, "machine"); });
}

}  // namespace tidevm::machine
