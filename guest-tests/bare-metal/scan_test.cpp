#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Scan : public BareMetalTest {
 protected:
  void PlugAndScan(const std::string& cpus, const std::string& wanted) {
    TIDEVM_ASSERT_DONE(Start("scan", {.cpus = cpus}));
    TIDEVM_ASSERT_DONE(Says("ready"));
    TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"cpus", wanted}}));
    TIDEVM_ASSERT_DONE(Tell("plugged"));
    TIDEVM_ASSERT_DONE(Passes());
    for (const Json& operation : started["operations"]) {
      TIDEVM_ASSERT_OK(end, Done(operation["id"]));
    }
    EXPECT_EQ(threads(), wanted);
  }
};

TEST_F(Scan, OfOneCpuFindsNothing) {
  TIDEVM_ASSERT_DONE(Start("scan", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(Scan, OfTwo) { PlugAndScan("boot=1,max=2", "0-1"); }
TEST_F(Scan, OfSixtyFour) { PlugAndScan("boot=1,max=64", "0-63"); }
TEST_F(Scan, OfAsManyAsThereCanBe) { PlugAndScan("boot=1,max=255", "0-254"); }
TEST_F(Scan, GoesRoundFromTheSelectedOneOn) { PlugAndScan("boot=1,max=8", "0,2,5,7"); }

}  // namespace
}  // namespace tidevm::guest_tests
