// A guest on a tidevm whose calls can be made to fail, and what must hold when one has.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "guest-tests/faults/fault_injector.h"
#include "guest-tests/harness/ordinary_user.h"
#include "guest-tests/linux/guest_test_util.h"
#include "vmm/kvm/kvm_abi.h"

namespace tidevm::guest_tests {

/// One line for each fault, which together are the table of what users are told.
inline void PrintFault(const std::string& name, const std::string& message) {
  std::printf("fault: %s -> %s\n", name.c_str(), message.c_str());
  std::fflush(stdout);
}

class FaultTest : public GuestTest {
 protected:
  void SetUp() override {
    std::string directory = std::filesystem::temp_directory_path() / "tidevm-fault-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    TIDEVM_ASSERT_OK(injector, FaultInjector::Create(directory_));
    faults_ = std::make_unique<FaultInjector>(std::move(injector));
    if (AsUserWanted()) {
      TIDEVM_ASSERT_DONE(GiveToOrdinaryUser(directory_));
      TIDEVM_ASSERT_DONE(GiveToOrdinaryUser(directory_ + "/faults"));
    }
  }
  void TearDown() override {
    vm_.reset();
    std::filesystem::remove_all(directory_);
  }

  void StartWithFaults(VmSettings settings) {
    settings.process.environment = faults_->environment();
    StartAndWait(settings);
  }

  /// A line of the log with `text` in it, as soon as there is one.
  void ExpectLog(const std::string& text) {
    EXPECT_TRUE(
        vm_->process().ReadUntil([&] { return CountInLog(text) > 0; }, Clock::now() + kPatience))
        << text << "\n"
        << vm_->process().Transcript();
  }
  int CountInLog(const std::string& text) {
    const auto& lines = vm_->process().errors();
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return line.find(text) != std::string::npos;
    }));
  }

  /// The one of `cpu` that was begun last.
  void LastOperation(CpuId cpu, Json& last) {
    TIDEVM_ASSERT_OK(operations, vm_->Execute("query-vcpu-operations"));
    for (const Json& operation : operations) {
      if (operation["cpu"] == cpu) {
        last = operation;
      }
    }
    ASSERT_FALSE(last.is_null());
  }

  void VcpuInfo(CpuId cpu, Json& info) {
    TIDEVM_ASSERT_OK(vcpus, vm_->Execute("query-vcpus"));
    info = vcpus.at(cpu);
  }

  /// device_add says so, the operation, and the log.
  void ExpectAddFails(const std::string& name, CpuId cpu, const std::string& text) {
    SCOPED_TRACE(name);
    const auto answer =
        vm_->Execute("device_add", {{"driver", "host-x86_64-cpu"}, {"apic-id", cpu}});
    ASSERT_FALSE(answer.has_value()) << "it worked";
    EXPECT_EQ(faults_->Disarm(), 1U) << "the fault was not met";
    EXPECT_THAT(answer.error().message, ::testing::HasSubstr(text));
    Json operation;
    ASSERT_NO_FATAL_FAILURE(LastOperation(cpu, operation));
    EXPECT_EQ(operation["outcome"], "failed");
    const std::string reason = operation.value("reason", "");
    EXPECT_THAT(answer.error().message, ::testing::HasSubstr(reason));
    ExpectLog(fmt::format("error: vCPU {}: add failed: {}", cpu, reason));
    Json info;
    ASSERT_NO_FATAL_FAILURE(VcpuInfo(cpu, info));
    EXPECT_FALSE(info["wanted"].get<bool>());
    EXPECT_FALSE(info["acpi-present"].get<bool>());
    EXPECT_FALSE(info["insert-event"].get<bool>());
    PrintFault(name, reason);
  }

  std::string directory_;
  std::unique_ptr<FaultInjector> faults_;
};

}  // namespace tidevm::guest_tests
