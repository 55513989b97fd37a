// How a guest's life begins anew, and how it ends.
#include <csignal>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Life : public GuestTest {
 protected:
  bool LogSays(std::string_view text) {
    for (const std::string& line : vm_->process().errors()) {
      if (line.find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }
};

TEST_F(Life, RebootKeepsThePluggedSet) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0-1,3"}}, {0, 1, 3}));
  TIDEVM_ASSERT_DONE(vm_->Tell("reboot"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1, 3}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Life, ResetFromTheHostCompletesWhatIsPending) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=2,max=4"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));  // so that all three are pending at the reset
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"cpus", "0,2-3"}}));
  ASSERT_EQ(started["operations"].size(), 3U);
  TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  TIDEVM_ASSERT_OK(ended, vm_->WaitForOperations(IdsOf(started)));
  for (const OperationEnd& operation : ended) {
    EXPECT_EQ(operation.outcome, "done") << operation.reason;
  }
  ExpectEverywhere({0, 2, 3});
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Life, ATermSignalIsAPowerButton) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=1"}));
  vm_->process().Signal(SIGTERM);
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0) << vm_->process().Transcript();
}

TEST_F(Life, TheSecondTermSignalEndsItAtOnce) {
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=1,max=1", .more_arguments = {"--paused"}}));
  vm_->process().Signal(SIGTERM);
  ASSERT_TRUE(vm_->process().ReadUntil([this] { return LogSays("the next one ends"); },
                                       Clock::now() + kPatience));
  vm_->process().Signal(SIGTERM);
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 128 + SIGTERM);
}

TEST_F(Life, QuitEndsAtOnceAndRemovesTheSocket) {
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("quit"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
  EXPECT_NE(::access(vm_->control_path().c_str(), F_OK), 0);
}

TEST_F(Life, APanicOfARunningGuestIsAFailureThatSaysSo) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_DONE(vm_->Tell("panic"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(LogSays("kernel panicked: sysrq triggered crash")) << vm_->process().Transcript();
}

// No driver has been loaded yet: only the console tells.
TEST_F(Life, AnEarlyPanicIsAFailureThatSaysSo) {
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=1,max=2", .initrd = false}));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(LogSays("kernel panicked: VFS: Unable to mount root fs"))
      << vm_->process().Transcript();
}

TEST_F(Life, APanicThatRebootsIsAFailureToo) {
  ASSERT_NO_FATAL_FAILURE(
      StartVm({.cpus = "boot=1,max=2", .extra_cmdline = "panic=-1", .initrd = false}));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(LogSays("kernel panicked: VFS: Unable to mount root fs"))
      << vm_->process().Transcript();
}

}  // namespace
}  // namespace tidevm::guest_tests
