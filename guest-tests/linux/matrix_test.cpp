// What every guest kernel must do; guest-tests/kernel-matrix runs it over all of them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Matrix : public GuestTest {
 protected:
  using Milliseconds = std::chrono::duration<double, std::milli>;

  /// set-vcpus, as SetAndExpect() has it; the answer is the time of the last operation's end.
  Milliseconds TimeOf(std::uint32_t count) {
    Milliseconds longest{};
    [&] {
      TIDEVM_ASSERT_OK(operations, vm_->SetVcpus({{"count", count}}));
      for (const OperationEnd& operation : operations) {
        EXPECT_EQ(operation.outcome, "done")
            << operation.kind << " of vCPU " << operation.cpu << ": " << operation.reason;
        for (const auto& [phase, since] : operation.phases) {
          longest = std::max(longest, Milliseconds(since));
        }
      }
      ExpectEverywhere(CpuSet::FirstN(count));
    }();
    return longest;
  }
};

// Pitfalls 15 and 22.
TEST_F(Matrix, OneEightOneThreeTimes) {
  const auto start = Clock::now();
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=8,sockets=2,cores=2,threads=2"}));
  const std::chrono::duration<double> boot = Clock::now() - start;
  TIDEVM_ASSERT_OK(release, vm_->Ask("cat /proc/sys/kernel/osrelease"));
  TIDEVM_ASSERT_OK(clocksource, vm_->Ask("clocksource"));
  std::string up;
  std::string down;
  for (int time = 0; time < 3; ++time) {
    up += fmt::format(" {:.0f}", TimeOf(8).count());
    ASSERT_NO_FATAL_FAILURE(ExpectTopology(2, 2));
    down += fmt::format(" {:.0f}", TimeOf(1).count());
    ASSERT_FALSE(HasFailure());
  }
  TIDEVM_ASSERT_OK(clocksource_after, vm_->Ask("clocksource"));
  EXPECT_EQ(clocksource_after.lines, clocksource.lines);
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
  std::printf("matrix: %s; %.1f;%s;%s; %s\n", release.first().c_str(), boot.count(), up.c_str(),
              down.c_str(), clocksource.first().c_str());
}

// Kernels do not agree in how they number the CPUs.
TEST_F(Matrix, TheFirstThatComesIsNotTheNext) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=8"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0,5"}}, {0, 5}));
  TIDEVM_ASSERT_OK(numbers, vm_->Ask("cat /sys/devices/system/cpu/present"));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
  std::printf("matrix-numbers: %s\n", numbers.first().c_str());
}

}  // namespace
}  // namespace tidevm::guest_tests
