// Many requests, at every moment of a guest's life.
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

using std::chrono::milliseconds;

/// Linux looks at _STA after _EJ0, and finds the CPU there where it has been plugged again by then.
/// It handles that request next.
constexpr std::string_view kPluggedAgainMeanwhile = "Eject incomplete - status 0xf";

class Churn : public GuestTest {
 protected:
  void SetVcpus(const char* cpus) {
    TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"cpus", cpus}}));
    for (const std::uint64_t id : IdsOf(started)) {
      pending_.insert(id);
    }
  }

  /// Takes events until the deadline, or until no operation is pending.
  void Follow(Clock::time_point deadline) {
    while (!pending_.empty()) {
      TIDEVM_ASSERT_OK(event, vm_->NextEvent(deadline));
      if (!event) {
        return;
      }
      const Json& data = (*event)["data"];
      if ((*event)["event"] != "VCPU_OPERATION" || data["outcome"] == "pending") {
        continue;
      }
      ++ended_[data["outcome"]];
      pending_.erase(data["id"].get<std::uint64_t>());
      EXPECT_TRUE(data["outcome"] == "done" || data["outcome"] == "cancelled") << data;
    }
  }

  std::set<std::uint64_t> pending_;
  std::map<std::string, int> ended_;  // by outcome
};

// Pitfalls 10 and 11: from before the kernel's first instruction until all is up, and some more.
TEST_F(Churn, ARequestEveryFiftyMillisecondsThroughTheWholeBoot) {
  constexpr milliseconds kPace{50};
  constexpr std::array kSets{"0,2", "0-1", "0,2-4", "0-3", "0,4", "0", "0-5", "0,3,5"};
  constexpr int kMoreRequests = 40;
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=2,max=6"}));
  const auto end = Clock::now() + kPatience;
  std::size_t requests = 0;
  int after_boot = 0;
  bool ready = false;
  for (auto next = Clock::now(); after_boot < kMoreRequests; next += kPace) {
    ASSERT_LT(next, end) << vm_->process().Transcript();
    ASSERT_NO_FATAL_FAILURE(SetVcpus(kSets[requests++ % kSets.size()]));
    ASSERT_NO_FATAL_FAILURE(Follow(next + kPace));
    ready = ready || vm_->SawOnConsole("@tidevm READY");
    after_boot += ready ? 1 : 0;
  }
  ASSERT_NO_FATAL_FAILURE(SetVcpus("0-1,4"));
  ASSERT_NO_FATAL_FAILURE(Follow(Clock::now() + kPatience));
  EXPECT_THAT(pending_, ::testing::IsEmpty());
  std::printf("%zu requests, %d of them after the boot; operations done: %d, cancelled: %d\n",
              requests + 1, after_boot + 1, ended_["done"], ended_["cancelled"]);
  ExpectEverywhere({0, 1, 4});
  ExpectNoGuestWarning(kPluggedAgainMeanwhile);
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
