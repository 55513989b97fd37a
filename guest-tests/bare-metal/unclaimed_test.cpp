#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Unclaimed : public BareMetalTest {
 protected:
  void Run() {
    TIDEVM_ASSERT_DONE(Start("unclaimed", {.cpus = "boot=1,max=1"}));
    TIDEVM_ASSERT_DONE(Passes());
    TIDEVM_ASSERT_DONE(Answers());
  }
};

TEST_F(Unclaimed, EveryPortReadsAllOnesAndTakesWrites) {
  Run();
  // Whoever logs such accesses one by one has lost.
  EXPECT_LT(vm_->process().errors().size(), 20U) << vm_->process().Transcript();
}

TEST_F(Unclaimed, StringsToAndFromAPortWhereNothingIs) { Run(); }
TEST_F(Unclaimed, MemoryOfNobodyReadsAllOnesAndTakesWrites) { Run(); }
TEST_F(Unclaimed, AnAccessOverTheEndOfMemory) { Run(); }

}  // namespace
}  // namespace tidevm::guest_tests
