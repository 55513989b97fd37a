#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

using Reset = BareMetalTest;

// Pitfall 20.
TEST_F(Reset, InTheMiddleOfARemovalCompletesIt) {
  TIDEVM_ASSERT_DONE(Start("reset", {.cpus = "boot=2,max=2"}));
  TIDEVM_ASSERT_DONE(Says("flags 1,1"));
  TIDEVM_ASSERT_OK(operation, Unplug(1));
  TIDEVM_ASSERT_DONE(Tell("remove"));
  TIDEVM_ASSERT_DONE(Says("flags 1,0"));
  TIDEVM_ASSERT_OK(end, Done(operation));
  EXPECT_TRUE(Reached(end, "acknowledged"));
  EXPECT_FALSE(Reached(end, "ejected"));
  EXPECT_EQ(threads(), "0");
  // And it can come back to the new guest.
  TIDEVM_ASSERT_DONE(Tell("serve"));
  TIDEVM_ASSERT_OK(add, Plug(1));
  TIDEVM_ASSERT_OK(added, Done(add));
  TIDEVM_ASSERT_DONE(Tell("end"));
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Reset, InTheMiddleOfAnAddLeavesItToTheNewGuest) {
  TIDEVM_ASSERT_DONE(Start("reset", {.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_DONE(Says("flags 1,0"));
  TIDEVM_ASSERT_OK(operation, Plug(1));
  TIDEVM_ASSERT_DONE(Tell("reset"));
  TIDEVM_ASSERT_DONE(Says("flags 1,2"));
  TIDEVM_ASSERT_DONE(Tell("serve"));
  TIDEVM_ASSERT_OK(end, Done(operation));
  TIDEVM_ASSERT_DONE(Tell("end"));
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
}

TEST_F(Reset, ByAnotherCpu) {
  TIDEVM_ASSERT_DONE(Start("reset", {.cpus = "boot=2,max=2"}));
  for (int life = 0; life < 3; ++life) {
    TIDEVM_ASSERT_DONE(Says("alive"));
    TIDEVM_ASSERT_DONE(Tell("reset"));
    TIDEVM_ASSERT_OK(event, vm_->WaitForEvent("RESET"));
    EXPECT_EQ(event["data"]["guest"], true);
  }
  TIDEVM_ASSERT_DONE(Says("alive"));
  TIDEVM_ASSERT_DONE(Tell("enough"));
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
}

TEST_F(Reset, WithoutEnd) {
  TIDEVM_ASSERT_DONE(Start("reset", {.cpus = "boot=3,max=4"}));
  ExpectResetsAtAPace();
}

TEST_F(Reset, OnlyByItsValue) {
  TIDEVM_ASSERT_DONE(Start("reset", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(Passes());
  TIDEVM_ASSERT_DONE(Answers());
  EXPECT_EQ(LogLinesWith("reset, asked for"), 0U);
}

}  // namespace
}  // namespace tidevm::guest_tests
