#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Registers : public BareMetalTest {
 protected:
  /// All is said by the guest; afterwards both CPUs are still there.
  void Run() {
    TIDEVM_ASSERT_DONE(Start("registers", {.cpus = "boot=2,max=2"}));
    TIDEVM_ASSERT_DONE(Passes());
    EXPECT_EQ(threads(), "0-1");
  }
};

TEST_F(Registers, EachOffsetReadInEachWidth) { Run(); }
TEST_F(Registers, ASelectorOutOfRangeReadsZeroAndWritesNothing) { Run(); }
TEST_F(Registers, EachCommandGivesItsData) { Run(); }
TEST_F(Registers, StringAccessesAreThoseOfTheirWidthOneByOne) { Run(); }
TEST_F(Registers, AnAccessWithRexWHarmsNothing) { Run(); }

TEST_F(Registers, EachOffsetWrittenInAWrongWidthChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(Run());
  // Some hundred wrong accesses: noted, and not one by one.
  TIDEVM_ASSERT_DONE(Answers());
  EXPECT_GT(LogLinesWith("is no register access"), 0U);
  EXPECT_LT(LogLinesWith("is no register access"), 10U);
}

}  // namespace
}  // namespace tidevm::guest_tests
