// What every guest test needs: a VM that is up, and expectations over all of its views at once.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "guest-tests/harness/assert_ok.h"
#include "guest-tests/harness/guest_vm.h"

namespace tidevm::guest_tests {

/// Warnings that say nothing about vCPUs.
inline constexpr std::string_view kNotAboutHotplug[] = {
    // Every kernel on a machine without PCI, the second one without a level, which counts as 4.
    "PCI: Fatal: No config space access function found",
    "PCI: System does not support PCI",
    // Linux from 6.7 or so on, on every AMD machine whose ACPI has no performance control, as
    // guests'.
    "amd_pstate: the _CPC object is not present in SBIOS or ACPI disabled",
    // An emulated or loaded host let the guest wait.
    "hrtimer: interrupt took",
    "sched: RT throttling activated",
};

/// One VM a test.
class GuestTest : public ::testing::Test {
 protected:
  void StartVm(const VmSettings& settings) {
    TIDEVM_ASSERT_OK(files, FilesFromEnvironment());
    TIDEVM_ASSERT_OK(vm, GuestVm::Start(files, settings));
    vm_ = std::move(vm);
  }

  void StartAndWait(const VmSettings& settings) {
    ASSERT_NO_FATAL_FAILURE(StartVm(settings));
    TIDEVM_ASSERT_DONE(vm_->WaitReady());
  }

  /// set-vcpus, every operation of it done, and at that very moment the guest has the set online.
  void SetAndExpect(const Json& arguments, const CpuSet& expected) {
    TIDEVM_ASSERT_OK(operations, vm_->SetVcpus(arguments));
    for (const OperationEnd& operation : operations) {
      EXPECT_EQ(operation.outcome, "done")
          << operation.kind << " of vCPU " << operation.cpu << ": " << operation.reason;
    }
    ExpectEverywhere(expected);
  }

  static std::vector<std::uint64_t> IdsOf(const Json& started) {
    std::vector<std::uint64_t> ids;
    for (const Json& operation : started["operations"]) {
      ids.push_back(operation["id"]);
    }
    return ids;
  }

  /// The guest, the host's task list and the control socket agree.
  void ExpectEverywhere(const CpuSet& expected) {
    TIDEVM_ASSERT_OK(online, vm_->GuestOnline());
    TIDEVM_ASSERT_OK(present, vm_->GuestPresent());
    TIDEVM_ASSERT_OK(control, vm_->ControlPresent());
    EXPECT_EQ(online.ToString(), expected.ToString()) << "guest online";
    EXPECT_EQ(present.ToString(), expected.ToString()) << "guest present";
    EXPECT_EQ(control.ToString(), expected.ToString()) << "query-vcpus";
    EXPECT_EQ(vm_->HostThreads().ToString(), expected.ToString()) << "host threads";
  }

  void ExpectNoGuestWarning(std::string_view but_for = "\n") {
    TIDEVM_ASSERT_OK(warnings, vm_->GuestWarnings());
    for (const std::string& line : warnings) {
      const bool known = std::ranges::any_of(kNotAboutHotplug, [&](std::string_view text) {
        return line.find(text) != std::string::npos;
      });
      if (!known && line.find(but_for) == std::string::npos) {
        ADD_FAILURE() << "guest log: " << line;
      }
    }
  }

  /// Pitfall 15. What lscpu reads, of CPUs 0 to `sockets` * `cores` * `threads` - 1, all online;
  /// `threads` is 2.
  void ExpectTopology(CpuId sockets, CpuId cores) {
    TIDEVM_ASSERT_OK(topology, vm_->Ask("topology"));
    ASSERT_EQ(topology.lines.size(), sockets * cores * 2);
    for (CpuId cpu = 0; cpu < sockets * cores * 2; ++cpu) {
      const std::string expected_start =
          fmt::format("cpu {} package {} die", cpu, cpu / (cores * 2));
      const std::string expected_end =
          fmt::format("core {} threads {}-{}", cpu / 2 % cores, cpu & ~1U, cpu | 1U);
      EXPECT_TRUE(topology.lines[cpu].starts_with(expected_start) &&
                  topology.lines[cpu].ends_with(expected_end))
          << topology.lines[cpu] << "\nwanted: " << expected_start << " ... " << expected_end;
    }
  }

  void PowerOffAndExpectSuccess() {
    TIDEVM_ASSERT_DONE(vm_->Tell("poweroff"));
    TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
    EXPECT_EQ(status, 0) << vm_->process().Transcript();
  }

  std::unique_ptr<GuestVm> vm_;
};

}  // namespace tidevm::guest_tests
