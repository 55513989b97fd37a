#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

using ::testing::HasSubstr;

class Acknowledge : public BareMetalTest {
 protected:
  void StartReady(const std::string& cpus) {
    TIDEVM_ASSERT_DONE(Start("acknowledge", {.cpus = cpus}));
    TIDEVM_ASSERT_DONE(Says("ready"));
  }

  void ExpectPending(std::uint64_t operation) {
    TIDEVM_ASSERT_DONE(vm_->WaitForEvent("ACPI_DEVICE_OST"));
    TIDEVM_ASSERT_OK(now, Operation(operation));
    EXPECT_EQ(now["outcome"], "pending") << now;
  }

  void ExpectDone(std::uint64_t operation) { TIDEVM_ASSERT_OK(end, Done(operation)); }
};

TEST_F(Acknowledge, OfARemovalWithoutEjectTimesOut) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=2,max=2"));
  TIDEVM_ASSERT_OK(first, Unplug(1, 500));
  TIDEVM_ASSERT_DONE(Says("acknowledged"));
  TIDEVM_ASSERT_OK(end, End(first));
  EXPECT_EQ(end.outcome, "timed-out");
  EXPECT_TRUE(Reached(end, "acknowledged"));
  TIDEVM_ASSERT_DONE(Tell("too late"));
  TIDEVM_ASSERT_DONE(Says("still here"));
  EXPECT_EQ(threads(), "0-1");
  TIDEVM_ASSERT_OK(second, Unplug(1));
  ASSERT_NO_FATAL_FAILURE(ExpectDone(second));
  EXPECT_EQ(threads(), "0");
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Acknowledge, OfARemovalIsNotNeededForEject) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=2,max=2"));
  TIDEVM_ASSERT_OK(operation, Unplug(1));
  TIDEVM_ASSERT_OK(end, Done(operation));
  EXPECT_FALSE(Reached(end, "acknowledged"));
  EXPECT_EQ(threads(), "0");
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Acknowledge, OfARemovalAndEjectInOneWrite) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=2,max=2"));
  TIDEVM_ASSERT_OK(operation, Unplug(1));
  TIDEVM_ASSERT_OK(end, Done(operation));
  EXPECT_TRUE(Reached(end, "acknowledged"));
  EXPECT_EQ(threads(), "0");
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Acknowledge, OfNothingChangesNothing) {
  TIDEVM_ASSERT_DONE(Start("acknowledge", {.cpus = "boot=2,max=4"}));
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-1");
  TIDEVM_ASSERT_OK(present, vm_->ControlPresent());
  EXPECT_EQ(present.ToString(), "0-1");
}

TEST_F(Acknowledge, OfAnInsertTwiceIsOnce) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=1,max=2"));
  TIDEVM_ASSERT_OK(operation, Plug(1));
  TIDEVM_ASSERT_OK(end, Done(operation));
  EXPECT_EQ(std::ranges::count_if(end.phases,
                                  [](const auto& phase) { return phase.first == "acknowledged"; }),
            1);
  TIDEVM_ASSERT_DONE(Tell("done"));
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Acknowledge, IsNeededBeforeOstProvesAnything) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=1,max=2"));
  TIDEVM_ASSERT_OK(operation, Plug(1));
  TIDEVM_ASSERT_DONE(Says("reported"));
  ASSERT_NO_FATAL_FAILURE(ExpectPending(operation));
  TIDEVM_ASSERT_OK(vcpu, Vcpu(1));
  EXPECT_EQ(vcpu["registered"], "unknown");
  TIDEVM_ASSERT_DONE(Tell("go on"));
  ASSERT_NO_FATAL_FAILURE(ExpectDone(operation));
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Acknowledge, IsNeededBeforeOstRefusesARemoval) {
  ASSERT_NO_FATAL_FAILURE(StartReady("boot=2,max=2"));
  TIDEVM_ASSERT_OK(operation, Unplug(1));
  TIDEVM_ASSERT_DONE(Says("reported"));
  ASSERT_NO_FATAL_FAILURE(ExpectPending(operation));
  TIDEVM_ASSERT_DONE(Tell("go on"));
  // The guest says no, and gives it up all the same before it can be held to that: either is an end
  // that the host sees, and what it says must be what is.
  TIDEVM_ASSERT_DONE(Says("refused and ejected"));
  TIDEVM_ASSERT_OK(end, End(operation));
  TIDEVM_ASSERT_OK(vcpu, Vcpu(1));
  if (end.outcome == "done") {
    EXPECT_EQ(threads(), "0");
    EXPECT_FALSE(vcpu["acpi-present"].get<bool>());
  } else {
    EXPECT_EQ(end.outcome, "refused");
    EXPECT_THAT(end.reason, HasSubstr("0x1"));
    EXPECT_EQ(threads(), "0-1");
    EXPECT_TRUE(vcpu["acpi-present"].get<bool>());
  }
  TIDEVM_ASSERT_DONE(Passes());
}

}  // namespace
}  // namespace tidevm::guest_tests
