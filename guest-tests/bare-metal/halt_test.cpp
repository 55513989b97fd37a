#include <csignal>

#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

using ::testing::HasSubstr;

class Halt : public BareMetalTest {
 protected:
  void StartHalted() {
    TIDEVM_ASSERT_DONE(Start("halt", {.cpus = "boot=3,max=4"}));
    TIDEVM_ASSERT_DONE(Says("halted"));
  }
};

TEST_F(Halt, OfAllCpusLeavesTheHostInCommand) {
  ASSERT_NO_FATAL_FAILURE(StartHalted());
  TIDEVM_ASSERT_DONE(Answers());
  for (const bool add : {true, false}) {
    TIDEVM_ASSERT_OK(operation, add ? Plug(3, 300) : Unplug(2, 300));
    TIDEVM_ASSERT_OK(end, End(operation));
    EXPECT_EQ(end.outcome, "timed-out");
    EXPECT_THAT(end.reason, HasSubstr("never took notice"));
  }
  EXPECT_EQ(threads(), "0-2");
  TIDEVM_ASSERT_DONE(vm_->Execute("system_powerdown"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("POWERDOWN"));
  TIDEVM_ASSERT_DONE(Answers());
}

TEST_F(Halt, OfAllCpusCanBePausedAndReset) {
  ASSERT_NO_FATAL_FAILURE(StartHalted());
  for (int i = 0; i < 3; ++i) {
    TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
    TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  }
  for (int i = 0; i < 3; ++i) {
    TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
    TIDEVM_ASSERT_DONE(Says("halted"));
  }
  EXPECT_EQ(threads(), "0-2");
}

}  // namespace
}  // namespace tidevm::guest_tests
