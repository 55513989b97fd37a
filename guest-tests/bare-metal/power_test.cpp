#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Power : public BareMetalTest {
 protected:
  void ExpectEnd(int expected_status) {
    TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
    EXPECT_EQ(status, expected_status) << vm_->process().Transcript();
    vm_.reset();
  }

  void Run() {
    TIDEVM_ASSERT_DONE(Start("power", {.cpus = "boot=1,max=1"}));
    TIDEVM_ASSERT_DONE(Passes());
    TIDEVM_ASSERT_DONE(Answers());
  }
};

TEST_F(Power, OffByS5) {
  TIDEVM_ASSERT_DONE(Start("power", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(Says("alive"));
  TIDEVM_ASSERT_DONE(Tell("go"));
  TIDEVM_ASSERT_OK(shutdown, vm_->WaitForEvent("SHUTDOWN"));
  EXPECT_EQ(shutdown["data"]["reason"], "guest-shutdown");
  ExpectEnd(0);
}

TEST_F(Power, StaysOnByAnythingElse) { Run(); }

TEST_F(Power, PanicEndsTheVm) {
  TIDEVM_ASSERT_DONE(Start("power", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(Says("alive"));
  TIDEVM_ASSERT_DONE(Tell("go"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("GUEST_PANICKED"));
  TIDEVM_ASSERT_OK(shutdown, vm_->WaitForEvent("SHUTDOWN"));
  EXPECT_EQ(shutdown["data"]["reason"], "guest-panic");
  ExpectEnd(1);
}

TEST_F(Power, PanicOfAKernelWithACrashKernelDoesNot) {
  ASSERT_NO_FATAL_FAILURE(Run());
  EXPECT_EQ(LogLinesWith("starts its crash kernel"), 1U);
}

TEST_F(Power, PanicPortIgnoresWhatItDoesNotKnow) { Run(); }

}  // namespace
}  // namespace tidevm::guest_tests
