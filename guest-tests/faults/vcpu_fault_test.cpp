// vCPUs that KVM cannot go on with: before the guest runs on them, the guest goes on; afterwards
// the VM ends, and says why.
#include <string>

#include "guest-tests/faults/fault_test_util.h"

namespace tidevm::guest_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class VcpuFault : public FaultTest {
 protected:
  /// From its `skip`-th KVM_RUN from now on.
  void BreakVcpu(CpuId cpu, std::uint32_t exit_reason, std::uint32_t skip = 0) {
    faults_->Arm({.call = FaultCall::kIoctl,
                  .request = KVM_RUN,
                  .subject = cpu,
                  .skip = skip,
                  .exit_reason = exit_reason});
  }

  /// set-vcpus up to vCPU 1, which breaks.
  void ExpectAddBreaks(const std::string& name, const std::string& text) {
    TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"count", 2}}));
    EXPECT_EQ(faults_->Disarm(), 1U);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].outcome, "failed");
    EXPECT_THAT(ended[0].reason, HasSubstr(text));
    ExpectLog("error: vCPU 1: add failed: " + ended[0].reason);
    ExpectLog("the guest does not rely on it, and goes on");
    PrintFault(name, ended[0].reason);
  }

  /// The VM ends with status 1 and its last event, when vCPU 1 enters KVM_RUN next.
  void ExpectTheEnd(const std::string& name, const std::string& text) {
    // Makes it leave KVM_RUN and enter it again.
    TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
    TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
    TIDEVM_ASSERT_OK(state, vm_->WaitForEvent("VCPU_STATE"));
    EXPECT_EQ(state["data"]["cpu"], 1);
    EXPECT_EQ(state["data"]["state"], "failed");
    TIDEVM_ASSERT_OK(shutdown, vm_->WaitForEvent("SHUTDOWN"));
    EXPECT_EQ(shutdown["data"]["reason"], "host-error");
    TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
    EXPECT_EQ(status, 1);
    EXPECT_EQ(CountInLog("error: "), 1) << vm_->process().Transcript();
    for (const std::string& line : vm_->process().errors()) {
      if (line.find("error: ") != std::string::npos) {
        EXPECT_THAT(line, AllOf(HasSubstr("vCPU 1"), HasSubstr(text), HasSubstr("cannot go on")));
        PrintFault(name, line);
      }
    }
  }
};

TEST_F(VcpuFault, AtItsFirstEntry) {
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));  // so that the guest cannot have taken notice
  BreakVcpu(1, KVM_EXIT_FAIL_ENTRY);
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", 2}}));
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_OK(ended, vm_->WaitForOperations(IdsOf(started)));
  EXPECT_EQ(faults_->Disarm(), 1U);
  EXPECT_EQ(ended[0].outcome, "failed");
  EXPECT_THAT(ended[0].reason, HasSubstr("KVM_EXIT_FAIL_ENTRY"));
  PrintFault("add: KVM_EXIT_FAIL_ENTRY at the first KVM_RUN", ended[0].reason);
  // Where the guest had seen it by then, it has to give it up first.
  Json info;
  ASSERT_NO_FATAL_FAILURE(VcpuInfo(1, info));
  EXPECT_FALSE(info["wanted"].get<bool>());
  EXPECT_TRUE(info["state"] == "parked" || info["state"] == "failed") << info;
  if (info["state"] == "failed") {
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  }
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  PowerOffAndExpectSuccess();
}

TEST_F(VcpuFault, WhenTheGuestWakesIt) {
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=2"}));
  BreakVcpu(1, KVM_EXIT_INTERNAL_ERROR, 1);  // the first KVM_RUN is the wait for INIT
  ASSERT_NO_FATAL_FAILURE(ExpectAddBreaks("add: KVM_EXIT_INTERNAL_ERROR when the guest wakes it",
                                          "KVM_EXIT_INTERNAL_ERROR suberror 1"));
  Json info;
  ASSERT_NO_FATAL_FAILURE(VcpuInfo(1, info));
  EXPECT_EQ(info["state"], "failed");
  EXPECT_FALSE(info["wanted"].get<bool>());
  EXPECT_TRUE(info["acpi-present"].get<bool>());
  EXPECT_EQ(info["online"], "no");
  EXPECT_FALSE(info.contains("thread-id"));
  TIDEVM_ASSERT_OK(online, vm_->GuestOnline());
  EXPECT_EQ(online.ToString(), "0");

  TIDEVM_ASSERT_OK(again, vm_->SetVcpus({{"count", 2}}));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].outcome, "failed");
  EXPECT_THAT(again[0].reason, HasSubstr("remove it first"));
  PrintFault("add: of one that has failed", again[0].reason);
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  PowerOffAndExpectSuccess();
}

TEST_F(VcpuFault, OneThatTheGuestRunsOnEndsTheVm) {
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=2"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  while (true) {  // what was told until now
    TIDEVM_ASSERT_OK(event, vm_->NextEvent(Clock::now()));
    if (!event) {
      break;
    }
  }
  BreakVcpu(1, KVM_EXIT_INTERNAL_ERROR);
  ASSERT_NO_FATAL_FAILURE(
      ExpectTheEnd("running: KVM_EXIT_INTERNAL_ERROR", "KVM_EXIT_INTERNAL_ERROR suberror 1"));
}

}  // namespace
}  // namespace tidevm::guest_tests
