#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Fault : public BareMetalTest {
 protected:
  void FaultOnce(const std::string& cpus) {
    TIDEVM_ASSERT_DONE(Start("fault", {.cpus = cpus}));
    TIDEVM_ASSERT_DONE(Says("alive"));
    TIDEVM_ASSERT_DONE(Tell("fault"));
    TIDEVM_ASSERT_OK(reset, vm_->WaitForEvent("RESET"));
    EXPECT_EQ(reset["data"]["guest"], true);
    TIDEVM_ASSERT_DONE(Says("alive"));
    TIDEVM_ASSERT_DONE(Tell("enough"));
    TIDEVM_ASSERT_DONE(Passes());
  }
};

TEST_F(Fault, TripleFaultResetsTheMachine) { FaultOnce("boot=1,max=1"); }

TEST_F(Fault, TripleFaultOfAnotherCpuResetsTheMachine) {
  FaultOnce("boot=2,max=2");
  EXPECT_EQ(threads(), "0-1");
}

TEST_F(Fault, TripleFaultsWithoutEnd) {
  TIDEVM_ASSERT_DONE(Start("fault", {.cpus = "boot=1,max=4"}));
  ExpectResetsAtAPace();
}

// A processor would read all ones there and run them; KVM gives up.
TEST_F(Fault, ExecutingWhereNothingIsEndsTheVm) {
  TIDEVM_ASSERT_DONE(Start("fault", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(Says("alive"));
  TIDEVM_ASSERT_DONE(Tell("go"));
  TIDEVM_ASSERT_OK(shutdown, vm_->WaitForEvent("SHUTDOWN"));
  EXPECT_EQ(shutdown["data"]["reason"], "host-error");
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 1);
  EXPECT_EQ(LogLinesWith("the guest cannot go on"), 1U);
  vm_.reset();
}

}  // namespace
}  // namespace tidevm::guest_tests
