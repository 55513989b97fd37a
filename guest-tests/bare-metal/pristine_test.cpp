#include <regex>

#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Pristine : public BareMetalTest {
 protected:
  void ExpectDone(std::uint64_t operation) { TIDEVM_ASSERT_OK(end, Done(operation)); }

  /// Up to the park.
  void LiveOnce() {
    TIDEVM_ASSERT_DONE(Start("pristine", {.cpus = "boot=1,max=4"}));
    TIDEVM_ASSERT_DONE(Says("ready"));
    TIDEVM_ASSERT_OK(add, Plug(1));
    ASSERT_NO_FATAL_FAILURE(ExpectDone(add));
    TIDEVM_ASSERT_OK(words, NextWord());
    // Or there would be nothing to be made new again.
    std::smatch numbers;
    ASSERT_TRUE(std::regex_match(words, numbers, std::regex("changed (\\d+) of (\\d+)"))) << words;
    EXPECT_GE(std::stoi(numbers[1]), 25) << words;
    RecordProperty("features", words);
    TIDEVM_ASSERT_OK(removal, Unplug(1));
    ASSERT_NO_FATAL_FAILURE(ExpectDone(removal));
    TIDEVM_ASSERT_DONE(Tell("parked"));
  }

  /// The vCPU's thread goes through KVM_RUN before the guest is told to start it: an INIT or a SIPI
  /// that outlived the park would show as a start.
  void LiveAgain() {
    TIDEVM_ASSERT_DONE(Says("for the second life"));
    TIDEVM_ASSERT_OK(operation, Plug(1));
    TIDEVM_ASSERT_DONE(Says("added"));
    for (int round = 0; round < 3; ++round) {
      TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
      TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
    }
    TIDEVM_ASSERT_OK(now, Operation(operation));
    for (const Json& phase : now["phases"]) {
      EXPECT_NE(phase["phase"], "booting") << now;
    }
    TIDEVM_ASSERT_DONE(Tell("go on"));
    TIDEVM_ASSERT_DONE(Passes());
    TIDEVM_ASSERT_OK(end, Done(operation));
    EXPECT_TRUE(Reached(end, "booting"));
  }

  void LiveTwice() {
    ASSERT_NO_FATAL_FAILURE(LiveOnce());
    ASSERT_NO_FATAL_FAILURE(LiveAgain());
  }
};

TEST_F(Pristine, AfterALifeThatChangedAll) { LiveTwice(); }
TEST_F(Pristine, AfterAnInitWhileParked) { LiveTwice(); }
TEST_F(Pristine, AfterInitAndSipiWhileParked) { LiveTwice(); }

TEST_F(Pristine, AfterInitAndSipiBeforeItsFirstLife) {
  TIDEVM_ASSERT_DONE(Start("pristine", {.cpus = "boot=1,max=4"}));
  LiveAgain();
}

}  // namespace
}  // namespace tidevm::guest_tests
