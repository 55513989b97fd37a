#include "vmm/hotplug/operation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "vmm/hotplug/operation_log.h"

namespace tidevm::hotplug {
namespace {

TEST(OperationNames, AreThoseOfTheControlPlane) {
  EXPECT_EQ(ToString(OperationKind::kAdd), "add");
  EXPECT_EQ(ToString(OperationKind::kRemove), "remove");
  EXPECT_EQ(ToString(Phase::kRequested), "requested");
  EXPECT_EQ(ToString(Phase::kCreated), "created");
  EXPECT_EQ(ToString(Phase::kStarted), "started");
  EXPECT_EQ(ToString(Phase::kNotified), "notified");
  EXPECT_EQ(ToString(Phase::kAcknowledged), "acknowledged");
  EXPECT_EQ(ToString(Phase::kRegistered), "registered");
  EXPECT_EQ(ToString(Phase::kOstInProgress), "ost-in-progress");
  EXPECT_EQ(ToString(Phase::kEjected), "ejected");
  EXPECT_EQ(ToString(Phase::kJoined), "joined");
  EXPECT_EQ(ToString(Phase::kParked), "parked");
  EXPECT_EQ(ToString(Outcome::kPending), "pending");
  EXPECT_EQ(ToString(Outcome::kDone), "done");
  EXPECT_EQ(ToString(Outcome::kRefused), "refused");
  EXPECT_EQ(ToString(Outcome::kFailed), "failed");
  EXPECT_EQ(ToString(Outcome::kCancelled), "cancelled");
}

// ACPI 6.4, 6.3.5, and for a device check what Linux makes of it.
TEST(DescribeOst, KnowsEveryCodeThatConcernsACpu) {
  struct Case {
    std::uint32_t event;
    std::uint32_t status;
    const char* meaning;
  };
  for (const auto& [event, status, meaning] : {
           Case{0x1, 0x0, "success"},
           Case{0x1, 0x1, "non-specific failure"},
           Case{0x1, 0x2, "unrecognised notify code"},
           Case{0x1, 0x3, "unknown status"},
           Case{0x1, 0x80, "not permitted by the guest's OS"},
           Case{0x1, 0x82, "device busy"},
           Case{0x3, 0x0, "success"},
           Case{0x3, 0x80, "ejection not supported by the guest's OS"},
           Case{0x3, 0x81, "device in use by an application"},
           Case{0x3, 0x82, "device busy"},
           Case{0x3, 0x83, "ejection dependency is busy or not supported"},
           Case{0x3, 0x84, "ejection in progress"},
           Case{0x3, 0x85, "unknown status"},
           Case{0x103, 0x82, "device busy"},
           Case{0x103, 0x84, "ejection in progress"},
           Case{0x200, 0x80, "insertion in progress"},
           Case{0x200, 0x81, "device driver load failure"},
           Case{0x200, 0x82, "insertion not supported by the guest's OS"},
           Case{0x80, 0x80, "unknown status"},
       }) {
    EXPECT_THAT(DescribeOst(event, status), testing::EndsWith(std::string(": ") + meaning))
        << event << " " << status;
  }
}

TEST(DescribeOst, NamesBothCodesInHexadecimal) {
  EXPECT_EQ(DescribeOst(0x103, 0xffffffff), "_OST event 0x103 status 0xffffffff: unknown status");
}

TEST(OperationLog, IdsAreUniqueAndAscending) {
  OperationLog log(4, [](const Operation&) {});
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    Operation& operation = log.Begin(OperationKind::kAdd, 1);
    EXPECT_GT(operation.id, last);
    last = operation.id;
    log.End(operation, Outcome::kDone);
  }
}

TEST(OperationLog, ForgetsTheOldestThatEnded) {
  OperationLog log(3, [](const Operation&) {});
  Operation& pending = log.Begin(OperationKind::kAdd, 0);
  for (CpuId cpu = 1; cpu <= 5; ++cpu) {
    log.End(log.Begin(OperationKind::kAdd, cpu), Outcome::kDone);
  }
  ASSERT_EQ(log.all().size(), 3U);
  EXPECT_EQ(&log.all().front(), &pending);
  EXPECT_EQ(log.all().back().cpu, 5U);
}

TEST(OperationLog, KeepsEverythingThatIsPending) {
  OperationLog log(3, [](const Operation&) {});
  for (CpuId cpu = 0; cpu < 10; ++cpu) {
    log.Begin(OperationKind::kAdd, cpu);
  }
  EXPECT_EQ(log.all().size(), 10U);
}

TEST(OperationLog, TellsTheObserverOfEachChangeOnce) {
  int changes = 0;
  OperationLog log(3, [&changes](const Operation&) { ++changes; });
  Operation& operation = log.Begin(OperationKind::kRemove, 1);
  EXPECT_EQ(changes, 1);
  log.Reach(operation, Phase::kNotified);
  EXPECT_EQ(changes, 2);
  log.Complete(operation, Phase::kParked);
  EXPECT_EQ(changes, 3);
  EXPECT_EQ(operation.outcome, Outcome::kDone);
}

TEST(Operation, IsAcknowledgedFromTheLatestNotificationOnly) {
  OperationLog log(3, [](const Operation&) {});
  Operation& operation = log.Begin(OperationKind::kAdd, 1);
  EXPECT_FALSE(operation.acknowledged());
  log.Reach(operation, Phase::kNotified);
  EXPECT_FALSE(operation.acknowledged());
  log.Reach(operation, Phase::kAcknowledged);
  log.Reach(operation, Phase::kStarted);
  EXPECT_TRUE(operation.acknowledged());
  log.Reach(operation, Phase::kNotified);
  EXPECT_FALSE(operation.acknowledged());
}

}  // namespace
}  // namespace tidevm::hotplug
