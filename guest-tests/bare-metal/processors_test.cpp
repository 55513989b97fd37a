#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

using Processors = BareMetalTest;

TEST_F(Processors, EachOfTheBootingOnesRuns) {
  TIDEVM_ASSERT_DONE(Start("processors", {.cpus = "boot=4,max=4"}));
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Processors, EachAddedOneRuns) {
  TIDEVM_ASSERT_DONE(Start("processors", {.cpus = "boot=1,max=8"}));
  TIDEVM_ASSERT_DONE(Says("ready"));
  TIDEVM_ASSERT_OK(operations, vm_->SetVcpus({{"count", 8}}));
  ASSERT_EQ(operations.size(), 7U);
  for (const OperationEnd& operation : operations) {
    EXPECT_EQ(operation.outcome, "done") << "vCPU " << operation.cpu << ": " << operation.reason;
    EXPECT_TRUE(Reached(operation, "booting")) << "vCPU " << operation.cpu;
  }
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(threads(), "0-7");
}

TEST_F(Processors, AnAddedOneStartsThroughX2Apic) {
  TIDEVM_ASSERT_DONE(Start("processors", {.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_OK(word, NextWord());
  if (word == "no x2APIC") {
    GTEST_SKIP() << "this KVM has no x2APIC";
  }
  ASSERT_EQ(word, "ready");
  TIDEVM_ASSERT_OK(operation, Plug(1));
  TIDEVM_ASSERT_DONE(Passes());
  TIDEVM_ASSERT_OK(end, Done(operation));
  EXPECT_TRUE(Reached(end, "booting"));
}

// Pitfall 1.
TEST_F(Processors, TheSameOneComesAndGoesAHundredTimes) {
  TIDEVM_ASSERT_DONE(Start("processors", {.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_DONE(Says("ready"));
  const std::size_t descriptors = vm_->open_descriptors();
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    TIDEVM_ASSERT_OK(add, Plug(1));
    TIDEVM_ASSERT_OK(added, Done(add));
    ASSERT_EQ(threads(), "0-1");
    TIDEVM_ASSERT_OK(remove, Unplug(1));
    TIDEVM_ASSERT_OK(removed, Done(remove));
    ASSERT_EQ(threads(), "0");
  }
  TIDEVM_ASSERT_DONE(Passes());
  // KVM's half of the vCPU is kept, once.
  EXPECT_LE(vm_->open_descriptors(), descriptors + 1);
}

}  // namespace
}  // namespace tidevm::guest_tests
