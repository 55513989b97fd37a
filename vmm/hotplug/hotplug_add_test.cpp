#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using vcpu::VcpuState;
using enum Phase;

TEST(HotplugAdd, ReachesItsPhasesInOrderAndIsDoneByOstSuccess) {
  TestBench bench(4, 1);
  const Operation* const operation = bench.controller.Add(2, {}).value();
  bench.controller.HandleThreadStarted(2);
  bench.guest.Scan();
  bench.Settle();
  EXPECT_TRUE(operation->pending());

  bench.guest.Ost(2, 1, 0);
  bench.Settle();

  EXPECT_EQ(operation->outcome, Outcome::kDone);
  EXPECT_THAT(PhasesOf(*operation),
              ElementsAre(kRequested, kCreated, kNotified, kStarted, kAcknowledged, kRegistered));
  EXPECT_EQ(bench.controller.View(2).registered, std::optional(true));
  EXPECT_EQ(bench.controller.wanted(), (CpuSet{0, 2}));
}

TEST(HotplugAdd, RefusesAnIdThatThereIsNot) {
  TestBench bench(4, 1);
  const auto operation = bench.controller.Add(4, {});
  ASSERT_FALSE(operation.has_value());
  EXPECT_EQ(operation.error().code, ErrorCode::kInvalidArgument);
}

TEST(HotplugAdd, RefusesWhatIsPluggedOrBeingPlugged) {
  TestBench bench(4, 2);
  bench.controller.Add(2, {}).value();
  for (const CpuId cpu : {0U, 1U, 2U}) {
    EXPECT_EQ(bench.controller.Add(cpu, {}).error().code, ErrorCode::kBusy) << cpu;
  }
}

// Pitfall 1.
TEST(HotplugAdd, AfterAParkRevivesAndMakesNothingNew) {
  TestBench bench(4, 1);
  for (int round = 0; round < 100; ++round) {
    bench.Plug(1);
    bench.controller.Remove(1).value();
    bench.Obey();
  }
  bench.Plug(1);
  EXPECT_EQ(bench.made, 2) << "the boot vCPU and this one";
  EXPECT_EQ(bench.vcpus[1]->revivals, 100);
  EXPECT_EQ(bench.controller.thread_count(), 2U);
}

TEST(HotplugAdd, RefusedByTheGuestIsNotWantedAndTheRetryWorks) {
  TestBench bench(4, 1);
  const Operation& refused = bench.Announced(1);
  bench.guest.Ost(1, 1, 1);
  bench.Settle();
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_THAT(refused.reason, HasSubstr("non-specific failure"));
  EXPECT_FALSE(bench.controller.View(1).wanted);

  const Operation* const retry = bench.controller.Add(1, {}).value();
  bench.Obey();

  EXPECT_EQ(retry->outcome, Outcome::kDone);
  EXPECT_EQ(bench.vcpus[1]->starts, 1) << "its thread is still there";
  EXPECT_TRUE(bench.controller.View(1).wanted);
}

TEST(HotplugAdd, RetriedThenTakenBackUnacknowledgedIsAskedBackFromTheGuest) {
  TestBench bench(4, 1);
  bench.Announced(1);
  bench.guest.Ost(1, 1, 1);
  bench.Settle();
  bench.controller.Add(1, {}).value();

  const Operation* const removal = bench.controller.Remove(1).value();

  EXPECT_FALSE(bench.vcpus[1]->stop_requested()) << "the guest has known it since the first add";
  bench.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_EQ(bench.registers.flags(1), CpuFlags{});
}

TEST(HotplugAdd, OstBeforeTheAcknowledgementIsNoAnswer) {
  TestBench bench(4, 1);
  const Operation* const operation = bench.controller.Add(1, {}).value();
  bench.guest.Ost(1, 1, 0);
  bench.Settle();
  EXPECT_TRUE(operation->pending());
  bench.Obey();
  EXPECT_EQ(operation->outcome, Outcome::kDone);
}

TEST(HotplugAdd, OstOfAnotherEventIsNoAnswer) {
  TestBench bench(4, 1);
  const Operation& operation = bench.Announced(1);
  bench.guest.Ost(1, 3, 0);
  bench.guest.Ost(1, 0x103, 1);
  bench.Settle();
  EXPECT_TRUE(operation.pending());
}

TEST(HotplugAdd, TakenBackBeforeTheAcknowledgementNeverReachesTheGuest) {
  TestBench bench(4, 1);
  const Operation* const add = bench.controller.Add(1, {}).value();
  const Operation* const removal = bench.controller.Remove(1).value();
  EXPECT_EQ(add->outcome, Outcome::kCancelled);
  EXPECT_FALSE(bench.line.high());
  EXPECT_THAT(bench.guest.Scan(), IsEmpty());

  bench.EndThreads();

  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_THAT(PhasesOf(*removal), ElementsAre(kRequested, kJoined, kParked));
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
}

TEST(HotplugAdd, AcknowledgedBehindARemovalRunsFirst) {
  TestBench bench(4, 1);
  const Operation& add = bench.Announced(1);
  const Operation* const removal = bench.controller.Remove(1).value();
  EXPECT_TRUE(add.pending());
  EXPECT_THAT(bench.guest.Scan(), IsEmpty());

  bench.guest.Ost(1, 1, 0);
  bench.Settle();
  EXPECT_EQ(add.outcome, Outcome::kDone);
  bench.Obey();

  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_FALSE(bench.controller.View(1).wanted);
}

TEST(HotplugAdd, ThirdRequestCancelsTheQueuedRemoval) {
  TestBench bench(4, 1);
  const Operation& add = bench.Announced(1, "first");
  const Operation* const removal = bench.controller.Remove(1).value();
  const Operation* const again = bench.controller.Add(1, "second").value();
  EXPECT_EQ(again, &add);
  EXPECT_EQ(removal->outcome, Outcome::kCancelled);
  bench.guest.Ost(1, 1, 0);
  bench.Settle();
  EXPECT_EQ(add.outcome, Outcome::kDone);
  EXPECT_TRUE(bench.controller.View(1).wanted);
  EXPECT_EQ(bench.controller.View(1).device_id, "second");
}

TEST(HotplugAdd, FactoryFailureFailsTheOperationAndTheNextWorks) {
  TestBench bench(4, 1);
  bench.fail_make = true;
  const Operation* const failed = bench.controller.Add(1, "d").value();
  EXPECT_EQ(failed->outcome, Outcome::kFailed);
  EXPECT_THAT(failed->reason, HasSubstr("no more vCPUs"));
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});
  EXPECT_EQ(bench.controller.View(1).device_id, "");
  EXPECT_FALSE(bench.line.high());

  bench.fail_make = false;
  const Operation* const next = bench.controller.Add(1, {}).value();
  bench.Obey();
  EXPECT_EQ(next->outcome, Outcome::kDone);
}

TEST(HotplugAdd, StartFailureFailsTheOperationAndTheNextWorks) {
  TestBench bench(4, 1);
  bench.fail_start = true;
  const Operation* const failed = bench.controller.Add(1, {}).value();
  EXPECT_EQ(failed->outcome, Outcome::kFailed);
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});
  EXPECT_EQ(bench.controller.Remove(1).error().code, ErrorCode::kNotFound);

  bench.vcpus[1]->fail_start = false;
  const Operation* const next = bench.controller.Add(1, {}).value();
  bench.Obey();
  EXPECT_EQ(next->outcome, Outcome::kDone);
  EXPECT_EQ(bench.made, 2);
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1}));
}

TEST(HotplugAdd, ReviveFailureFailsTheOperationAndTheNextWorks) {
  TestBench bench(4, 2);
  bench.controller.Remove(1).value();
  bench.Obey();
  bench.vcpus[1]->fail_revive = true;
  EXPECT_EQ(bench.controller.Add(1, {}).value()->outcome, Outcome::kFailed);
  bench.vcpus[1]->fail_revive = false;
  const Operation* const next = bench.controller.Add(1, {}).value();
  bench.Obey();
  EXPECT_EQ(next->outcome, Outcome::kDone);
}

TEST(HotplugAdd, InterruptThatDoesNotComeThroughFailsTheOperationAndTheNextWorks) {
  TestBench bench(4, 2);
  bench.line.broken = true;
  const Operation* const add = bench.controller.Add(2, {}).value();
  EXPECT_EQ(add->outcome, Outcome::kFailed);
  EXPECT_EQ(add->reason, "interrupting the guest: no line");
  const Operation* const removal = bench.controller.Remove(1).value();
  EXPECT_EQ(removal->outcome, Outcome::kFailed);
  EXPECT_EQ(bench.controller.wanted(), (CpuSet{0, 1}));
  bench.EndThreads();

  bench.line.broken = false;
  bench.Obey();
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1})) << "nothing is left of them";
  EXPECT_EQ(bench.controller.SetWanted(CpuSet{0, 2}).value().size(), 2U);
  bench.Obey();
  EXPECT_EQ(bench.present(), (CpuSet{0, 2}));
}

TEST(HotplugAdd, LevelThatStayedUpGoesDownWithTheNextAccess) {
  TestBench bench(4, 1);
  bench.controller.Add(1, {}).value();
  bench.line.broken = true;
  bench.guest.Scan();
  EXPECT_TRUE(bench.line.high());
  bench.line.broken = false;
  bench.guest.Scan();
  EXPECT_FALSE(bench.line.high());
}

TEST(HotplugAdd, NameOfTheDeviceLastsUntilTheRemovalIsDone) {
  TestBench bench(4, 1);
  bench.Plug(1, "cpu-one");
  EXPECT_EQ(bench.controller.View(1).device_id, "cpu-one");
  EXPECT_THAT(bench.listener.osts, ElementsAre(ListenerLog::Named(1, "cpu-one")));
  bench.controller.Remove(1).value();
  bench.Obey();
  EXPECT_EQ(bench.controller.View(1).device_id, "");
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "cpu-one")));
}

TEST(HotplugAdd, SeveralAtOnceAllArrive) {
  TestBench bench(8, 1);
  const auto operations = bench.controller.SetWanted(CpuSet::FirstN(8)).value();
  EXPECT_EQ(operations.size(), 7U);
  EXPECT_EQ(bench.controller.thread_count(), 8U);
  bench.Obey();
  for (const Operation* operation : operations) {
    EXPECT_EQ(operation->outcome, Outcome::kDone);
  }
  EXPECT_EQ(bench.present(), CpuSet::FirstN(8));
}

}  // namespace
}  // namespace tidevm::hotplug
