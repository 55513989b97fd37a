#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Eject : public BareMetalTest {
 protected:
  void StartWithOneCpu() {
    TIDEVM_ASSERT_DONE(Start("eject", {.cpus = "boot=1,max=2"}));
    TIDEVM_ASSERT_DONE(Says("ready"));
  }

  void AddCpu1() {
    TIDEVM_ASSERT_OK(operation, Plug(1));
    TIDEVM_ASSERT_OK(added, Done(operation));
    EXPECT_EQ(threads(), "0-1");
  }

  void RemoveCpu1() {
    TIDEVM_ASSERT_OK(operation, Unplug(1));
    TIDEVM_ASSERT_OK(removed, Done(operation));
    for (const char* const phase : {"acknowledged", "ejected", "joined", "parked"}) {
      EXPECT_TRUE(Reached(removed, phase)) << phase;
    }
    EXPECT_EQ(threads(), "0");
    TIDEVM_ASSERT_OK(vcpu, Vcpu(1));
    EXPECT_EQ(vcpu["state"], "parked");
    EXPECT_FALSE(vcpu["acpi-present"].get<bool>());
  }

  void AddAndRemove() {
    ASSERT_NO_FATAL_FAILURE(StartWithOneCpu());
    ASSERT_NO_FATAL_FAILURE(AddCpu1());
    ASSERT_NO_FATAL_FAILURE(RemoveCpu1());
    TIDEVM_ASSERT_DONE(Tell("gone"));
    TIDEVM_ASSERT_DONE(Passes());
  }
};

TEST_F(Eject, OfASpinningCpuWithInterruptsOff) { AddAndRemove(); }
TEST_F(Eject, OfAHaltedCpuWithInterruptsOff) { AddAndRemove(); }
TEST_F(Eject, OfACpuThatWasNeverStarted) { AddAndRemove(); }

TEST_F(Eject, OfItself) {
  ASSERT_NO_FATAL_FAILURE(StartWithOneCpu());
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  ASSERT_NO_FATAL_FAILURE(RemoveCpu1());
  TIDEVM_ASSERT_DONE(Tell("gone"));
  TIDEVM_ASSERT_DONE(Says("looked"));
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Eject, TwiceIsOnce) {
  ASSERT_NO_FATAL_FAILURE(StartWithOneCpu());
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  ASSERT_NO_FATAL_FAILURE(RemoveCpu1());
  TIDEVM_ASSERT_DONE(Says("ejected twice"));
  TIDEVM_ASSERT_DONE(Tell("gone"));
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
}

// Else Linux finds the new CPU where it looks for the old one, and warns of an incomplete ejection.
TEST_F(Eject, IsVerifiedBeforeTheNextInsertIsSeen) {
  ASSERT_NO_FATAL_FAILURE(StartWithOneCpu());
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  ASSERT_NO_FATAL_FAILURE(RemoveCpu1());
  TIDEVM_ASSERT_OK(operation, Plug(1));
  TIDEVM_ASSERT_DONE(Tell("plugged again"));
  TIDEVM_ASSERT_DONE(Says("looked"));
  TIDEVM_ASSERT_DONE(Done(operation));
  TIDEVM_ASSERT_DONE(Passes());
}

// Pitfall 3.
TEST_F(Eject, OfCpu0IsIgnored) {
  TIDEVM_ASSERT_DONE(Start("eject", {.cpus = "boot=2,max=2"}));
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
  EXPECT_FALSE(vm_->Execute("device_del", {{"id", "/machine/unattached/device[0]"}}).has_value());
  EXPECT_FALSE(vm_->Execute("set-vcpus", {{"cpus", "1"}}).has_value());
  EXPECT_FALSE(vm_->Execute("set-vcpus", {{"count", 0}}).has_value());
  TIDEVM_ASSERT_DONE(Answers());
}

// Pitfall 5.
TEST_F(Eject, UnaskedIsIgnoredForEveryId) {
  TIDEVM_ASSERT_DONE(Start("eject", {.cpus = "boot=4,max=8"}));
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-3");
  TIDEVM_ASSERT_OK(present, vm_->ControlPresent());
  EXPECT_EQ(present.ToString(), "0-3");
}

TEST_F(Eject, OfACpuThatIsBeingAddedIsIgnored) {
  ASSERT_NO_FATAL_FAILURE(StartWithOneCpu());
  ASSERT_NO_FATAL_FAILURE(AddCpu1());
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
}

}  // namespace
}  // namespace tidevm::guest_tests
