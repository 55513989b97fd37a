// Guests that do not do as asked: some say no, some say nothing, some do half of it. Each ends with
// what is true of it, and the next request works.
#include <string>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

/// Long enough for an emulated host to do what it is going to do.
constexpr std::int64_t kDeadlineMs = 4000;

class Refusal : public GuestTest {
 protected:
  /// set-vcpus with a deadline; its one operation, ended.
  void SetAndEnd(const Json& what, OperationEnd& end) {
    Json arguments = what;
    arguments["timeout-ms"] = kDeadlineMs;
    TIDEVM_ASSERT_OK(ended, vm_->SetVcpus(arguments));
    ASSERT_EQ(ended.size(), 1U);
    end = ended[0];
  }

  static bool Reached(const OperationEnd& operation, std::string_view phase) {
    return std::ranges::any_of(operation.phases,
                               [&](const auto& reached) { return reached.first == phase; });
  }
};

// SCHED_DEADLINE: the kernel must not take away the time that it has promised.
TEST_F(Refusal, ARefusedRemovalNamesTheReasonAndCanBeRetried) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=3,max=4"}));
  TIDEVM_ASSERT_OK(reserved, vm_->Ask("reserve 3 90"));
  ASSERT_EQ(reserved.status, 0) << reserved.first();
  OperationEnd end;
  ASSERT_NO_FATAL_FAILURE(SetAndEnd({{"count", 2}}, end));
  EXPECT_EQ(end.outcome, "refused");
  EXPECT_THAT(end.reason, ::testing::HasSubstr("busy"));
  TIDEVM_ASSERT_OK(event, vm_->WaitForEvent("DEVICE_UNPLUG_GUEST_ERROR"));
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1, 2}));
  // Other vCPUs are not concerned; and the same request works once the promise is withdrawn.
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
  TIDEVM_ASSERT_OK(released, vm_->Ask("unspin"));
  EXPECT_EQ(released.first(), "3");
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  PowerOffAndExpectSuccess();
}

TEST_F(Refusal, ARemovalCancelledBeforeTheGuestTookNoticeChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=2,max=2"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));  // so that the guest cannot be quicker
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", 1}}));
  TIDEVM_ASSERT_DONE(
      vm_->Execute("cancel-vcpu-operation", {{"id", started["operations"][0]["id"]}}));
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_OK(ended, vm_->WaitForOperations(IdsOf(started)));
  EXPECT_EQ(ended[0].outcome, "cancelled");
  EXPECT_FALSE(Reached(ended[0], "acknowledged"));
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  PowerOffAndExpectSuccess();
}

// maxcpus=1 keeps the kernel from putting CPUs online by itself, and here nobody else does.
TEST_F(Refusal, AGuestThatPutsNothingOnlineRegistersOnly) {
  ASSERT_NO_FATAL_FAILURE(
      StartAndWait({.cpus = "boot=1,max=3", .extra_cmdline = "maxcpus=1 tidevm.auto-online=off"}));
  OperationEnd end;
  ASSERT_NO_FATAL_FAILURE(SetAndEnd({{"count", 2}}, end));
  EXPECT_EQ(end.outcome, "timed-out");
  EXPECT_THAT(end.reason, ::testing::HasSubstr("registered, not online"));
  EXPECT_TRUE(Reached(end, "registered"));
  EXPECT_FALSE(Reached(end, "online"));
  TIDEVM_ASSERT_OK(vcpus, vm_->Execute("query-vcpus"));
  EXPECT_TRUE(vcpus[1]["wanted"].get<bool>());
  EXPECT_EQ(vcpus[1]["online"], "no");
  TIDEVM_ASSERT_OK(online, vm_->GuestOnline());
  EXPECT_EQ(online.ToString(), "0");
  // Once somebody does, it is as any other; and requests work as before.
  TIDEVM_ASSERT_OK(answer, vm_->Ask("auto-online on"));
  EXPECT_EQ(answer.first(), "on");
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 3}}, {0, 1, 2}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  PowerOffAndExpectSuccess();
}

// Without the driver of the Generic Event Device nothing in the guest ever evaluates CSCN.
TEST_F(Refusal, AGuestThatNeverLooksIsLeftAsItWas) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait(
      {.cpus = "boot=1,max=3", .extra_cmdline = "initcall_blacklist=ged_driver_init"}));
  for (int time = 0; time < 2; ++time) {
    OperationEnd end;
    ASSERT_NO_FATAL_FAILURE(SetAndEnd({{"count", 2}}, end));
    EXPECT_EQ(end.outcome, "timed-out");
    EXPECT_THAT(end.reason, ::testing::HasSubstr("the guest never took notice"));
    EXPECT_FALSE(Reached(end, "acknowledged"));
    ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0}));
  }
  PowerOffAndExpectSuccess();
}

// A process that never yields keeps the event's handler from its turn.
TEST_F(Refusal, AGuestTooBusyToLookIsLeftAsItWasUntilItHasTime) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=3"}));
  TIDEVM_ASSERT_OK(hogging, vm_->Ask("hog 6000"));
  ASSERT_EQ(hogging.status, 0) << hogging.first();
  OperationEnd end;
  ASSERT_NO_FATAL_FAILURE(SetAndEnd({{"count", 2}}, end));
  EXPECT_EQ(end.outcome, "timed-out");
  EXPECT_THAT(end.reason, ::testing::HasSubstr("it hangs, or is too busy"));
  EXPECT_EQ(vm_->HostThreads().ToString(), "0");
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 3}}, {0, 1, 2}));
  PowerOffAndExpectSuccess();
}

// nosmp takes the I/O APIC away as well, and so all interrupts of this machine's devices: the guest
// hears of nothing, the serial line's output included.
TEST_F(Refusal, AGuestWithoutSmpHearsOfNothing) {
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=1,max=3", .extra_cmdline = "nosmp"}));
  TIDEVM_ASSERT_DONE(vm_->WaitForConsole("failed to setup event handler"));
  OperationEnd end;
  ASSERT_NO_FATAL_FAILURE(SetAndEnd({{"count", 2}}, end));
  EXPECT_EQ(end.outcome, "timed-out");
  EXPECT_THAT(end.reason, ::testing::HasSubstr("no handler for the hotplug interrupt"));
  EXPECT_EQ(vm_->HostThreads().ToString(), "0");
}

}  // namespace
}  // namespace tidevm::guest_tests
