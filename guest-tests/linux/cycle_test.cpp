// vCPUs come and go, and everybody agrees on which there are.
#include <algorithm>
#include <string>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Cycle : public GuestTest {
 protected:
  static auto CountOf(const OperationEnd& operation, const std::string& phase) {
    return std::count_if(operation.phases.begin(), operation.phases.end(),
                         [&](const auto& reached) { return reached.first == phase; });
  }
};

TEST_F(Cycle, OneFourTwoFourOne) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  TIDEVM_ASSERT_OK(clocksource, vm_->Ask("clocksource"));
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0}));
  for (const std::uint32_t count : {4U, 2U, 4U, 1U}) {
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", count}}, CpuSet::FirstN(count)));
  }
  TIDEVM_ASSERT_OK(clocksource_after, vm_->Ask("clocksource"));
  EXPECT_EQ(clocksource_after.lines, clocksource.lines);
  ExpectNoGuestWarning();
  TIDEVM_ASSERT_DONE(vm_->Execute("system_powerdown"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
}

// Pitfalls 1, 12 and 16.
TEST_F(Cycle, TheSameIdFiftyTimes) {
  constexpr int kTimes = 50;
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_OK(clocksource, vm_->Ask("clocksource"));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  const std::size_t descriptors = vm_->open_descriptors();
  const std::size_t threads = vm_->all_threads();
  for (int time = 1; time < kTimes; ++time) {
    SCOPED_TRACE(fmt::format("time {}", time + 1));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  }
  EXPECT_EQ(vm_->open_descriptors(), descriptors);
  EXPECT_EQ(vm_->all_threads(), threads);
  TIDEVM_ASSERT_OK(clocksource_after, vm_->Ask("clocksource"));
  EXPECT_EQ(clocksource_after.lines, clocksource.lines);
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Cycle, OneToEightWithEveryPhase) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=8"}));
  TIDEVM_ASSERT_OK(operations, vm_->SetVcpus({{"count", 8}}));
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere(CpuSet::FirstN(8)));
  EXPECT_EQ(operations.size(), 7U);
  for (const OperationEnd& operation : operations) {
    EXPECT_EQ(operation.outcome, "done") << operation.reason;
    for (const std::string phase : {"requested", "created", "started", "notified", "acknowledged",
                                    "registered", "booting", "online"}) {
      EXPECT_EQ(CountOf(operation, phase), 1) << "vCPU " << operation.cpu << ", " << phase;
    }
  }
  TIDEVM_ASSERT_OK(removals, vm_->SetVcpus({{"count", 1}}));
  for (const OperationEnd& operation : removals) {
    EXPECT_EQ(CountOf(operation, "going-down"), 1) << "vCPU " << operation.cpu;
  }
  ExpectEverywhere({0});
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Cycle, AnyIdButZeroAndBootCpusToo) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=3,max=6"}));
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1, 2}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0,2,4-5"}}, {0, 2, 4, 5}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0-1,3"}}, {0, 1, 3}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0"}}, {0}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0-5"}}, CpuSet::FirstN(6)));
  EXPECT_FALSE(vm_->Execute("set-vcpus", {{"cpus", "1-5"}}).has_value());
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere(CpuSet::FirstN(6)));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

// Pitfalls 2 and 17: the next request does not wait for the last one to end.
TEST_F(Cycle, RequestsThatOvertakeOneAnother) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  std::vector<std::uint64_t> ids;
  for (const std::uint32_t count : {4U, 1U, 3U, 1U, 4U, 2U, 4U, 1U, 3U}) {
    TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", count}}));
    for (const Json& operation : started["operations"]) {
      const auto id = operation["id"].get<std::uint64_t>();
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
        ids.push_back(id);
      }
    }
  }
  TIDEVM_ASSERT_OK(ended, vm_->WaitForOperations(ids));
  for (const OperationEnd& operation : ended) {
    EXPECT_TRUE(operation.outcome == "done" || operation.outcome == "cancelled")
        << operation.kind << " of vCPU " << operation.cpu << ": " << operation.outcome << ", "
        << operation.reason;
  }
  TIDEVM_ASSERT_DONE(vm_->WaitGuestOnline(CpuSet::FirstN(3)));
  ExpectEverywhere(CpuSet::FirstN(3));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

// Pitfall 10. The guest has not run a single instruction when it is asked for.
TEST_F(Cycle, ARequestBeforeTheKernelStartsIsNotLost) {
  ASSERT_NO_FATAL_FAILURE(StartVm({.cpus = "boot=1,max=4", .more_arguments = {"--paused"}}));
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", 3}}));
  ASSERT_EQ(started["operations"].size(), 2U);
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  TIDEVM_ASSERT_OK(ended, vm_->WaitForOperations(
                              {started["operations"][0]["id"], started["operations"][1]["id"]}));
  for (const OperationEnd& operation : ended) {
    EXPECT_EQ(operation.outcome, "done");
    for (const std::string phase : {"acknowledged", "registered", "booting", "online"}) {
      EXPECT_EQ(CountOf(operation, phase), 1) << phase;
    }
  }
  ExpectEverywhere({0, 1, 2});
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Cycle, DeviceAddAndDeviceDelAsQemuHasThem) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2"}));
  TIDEVM_ASSERT_OK(possible, vm_->Execute("query-hotpluggable-cpus"));
  Json arguments = possible[0]["props"];
  ASSERT_FALSE(possible[0].contains("qom-path"));
  arguments["driver"] = possible[0]["type"];
  arguments["id"] = "cpu-one";
  TIDEVM_ASSERT_DONE(vm_->Execute("device_add", arguments));
  TIDEVM_ASSERT_OK(registered, vm_->WaitForEvent("ACPI_DEVICE_OST"));
  EXPECT_EQ(registered["data"]["info"]["device"], "cpu-one");
  EXPECT_EQ(registered["data"]["info"]["source"], 1);
  EXPECT_EQ(registered["data"]["info"]["status"], 0);
  TIDEVM_ASSERT_DONE(vm_->WaitGuestOnline({0, 1}));
  TIDEVM_ASSERT_DONE(vm_->Execute("device_del", {{"id", "cpu-one"}}));
  TIDEVM_ASSERT_OK(deleted, vm_->WaitForEvent("DEVICE_DELETED"));
  EXPECT_EQ(deleted["data"]["device"], "cpu-one");
  ExpectEverywhere({0});
  PowerOffAndExpectSuccess();
}

TEST_F(Cycle, WhilePausedTheGuestDoesNothingAndAfterwardsEverything) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=2,max=3"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
  TIDEVM_ASSERT_OK(status, vm_->Execute("query-status"));
  EXPECT_EQ(status["status"], "paused");
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", 3}}));
  TIDEVM_ASSERT_OK(vcpus, vm_->Execute("query-vcpus"));
  EXPECT_TRUE(vcpus[2]["insert-event"].get<bool>());
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_DONE(vm_->WaitForOperations({started["operations"][0]["id"]}));
  TIDEVM_ASSERT_DONE(vm_->WaitGuestOnline({0, 1, 2}));
  ExpectEverywhere({0, 1, 2});
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
