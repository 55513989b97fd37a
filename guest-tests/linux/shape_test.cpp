// What the guest sees of its machine is what was asked for.
#include <cstdlib>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Shape : public GuestTest {};

// Pitfall 15.
TEST_F(Shape, TheTopologyIsTheOneAskedForBeforeAndAfterHotplug) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=2,max=8,sockets=2,cores=2,threads=2"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 8}}, CpuSet::FirstN(8)));
  ASSERT_NO_FATAL_FAILURE(ExpectTopology(2, 2));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Shape, MemoryAboveTheGapIsThere) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=1", .memory = "3584M"}));
  TIDEVM_ASSERT_OK(answer, vm_->Ask("cat /proc/meminfo"));
  const long long total_kib = std::atoll(answer.first().c_str() + std::string("MemTotal:").size());
  EXPECT_GT(total_kib, 3300LL << 10) << answer.first();
  EXPECT_LE(total_kib, 3584LL << 10) << answer.first();
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

// Pitfall 21: KVM's recommended number follows the host's CPUs, and is no limit.
TEST_F(Shape, MoreThanRecommendedRunsWithOneWarning) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=255"}));
  int warnings = 0;
  for (const std::string& line : vm_->process().errors()) {
    warnings += line.find("KVM_CAP_NR_VCPUS") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(warnings, 1) << vm_->process().Transcript();
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0,254"}}, {0, 254}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0"}}, {0}));
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
