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

TEST(HotplugRemove, ReachesItsPhasesInOrderAndIsDoneByTheJoin) {
  TestBench bench(4, 2);
  const Operation& operation = bench.AskedFor(1);
  bench.guest.Ost(1, 3, 0x84);
  bench.guest.Eject(1);
  bench.guest.Ost(1, 3, 0);
  bench.Settle();
  EXPECT_TRUE(operation.pending()) << "the thread is still there";
  EXPECT_THAT(bench.listener.unplugged, IsEmpty());

  bench.EndThreads();

  EXPECT_EQ(operation.outcome, Outcome::kDone);
  EXPECT_THAT(PhasesOf(operation), ElementsAre(kRequested, kNotified, kAcknowledged, kOstInProgress,
                                               kEjected, kJoined, kParked));
  EXPECT_EQ(bench.listener.states[1], (std::vector{VcpuState::kRunning, VcpuState::kUnplugRequested,
                                                   VcpuState::kEjecting, VcpuState::kParked}));
  EXPECT_EQ(bench.controller.thread_count(), 1U);
  EXPECT_EQ(bench.vcpus[1]->joins, 1);
}

TEST(HotplugRemove, BootCpuOtherThanZeroGoesAndComesBack) {
  TestBench bench(4, 2);
  bench.controller.Remove(1).value();
  bench.Obey();
  EXPECT_EQ(bench.present(), CpuSet{0});
  bench.Plug(1);
  EXPECT_EQ(bench.present(), (CpuSet{0, 1}));
  EXPECT_EQ(bench.made, 2);
}

TEST(HotplugRemove, RefusesCpuZeroBadIdsAndWhatIsNotPlugged) {
  TestBench bench(4, 2);
  EXPECT_EQ(bench.controller.Remove(0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bench.controller.Remove(4).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bench.controller.Remove(2).error().code, ErrorCode::kNotFound);
}

TEST(HotplugRemove, TwiceIsBusyAndNamesTheOperation) {
  TestBench bench(4, 2);
  const Operation* const first = bench.controller.Remove(1).value();
  const auto second = bench.controller.Remove(1);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_THAT(second.error().message, HasSubstr(fmt::format("operation {}", first->id)));
}

TEST(HotplugRemove, TakenBackBeforeTheAcknowledgementNeverReachesTheGuest) {
  TestBench bench(4, 2);
  const Operation* const removal = bench.controller.Remove(1).value();
  const Operation* const add = bench.controller.Add(1, "renamed").value();
  EXPECT_EQ(removal->outcome, Outcome::kCancelled);
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_THAT(bench.guest.Scan(), IsEmpty());
  bench.guest.Eject(1);
  bench.Settle();
  EXPECT_TRUE(bench.guest.IsPresent(1));
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kRunning);
  EXPECT_EQ(bench.controller.View(1).device_id, "renamed");
}

enum class Asked { kBeforeTheEjection, kWhileTheThreadEnds };

void ExpectAnAddWaitsForTheJoin(Asked asked) {
  TestBench bench(4, 2);
  const Operation& removal = bench.AskedFor(1);
  const Operation* add = nullptr;
  if (asked == Asked::kBeforeTheEjection) {
    add = bench.controller.Add(1, {}).value();
  }
  bench.guest.Eject(1);
  bench.Settle();
  if (asked == Asked::kWhileTheThreadEnds) {
    add = bench.controller.Add(1, {}).value();
  }
  EXPECT_EQ(bench.vcpus[1]->revivals, 0);
  EXPECT_THAT(bench.guest.Scan(), IsEmpty());

  bench.EndThreads();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench.vcpus[1]->joins, 1);
  EXPECT_EQ(bench.vcpus[1]->starts, 2);
  bench.Obey();
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_EQ(bench.present(), (CpuSet{0, 1}));
}

TEST(HotplugRemove, AddBehindAnEjectionWaitsForTheJoin) {
  ExpectAnAddWaitsForTheJoin(Asked::kBeforeTheEjection);
}

// Pitfall 2.
TEST(HotplugRemove, AddWhileTheThreadEndsWaitsForTheJoinToo) {
  ExpectAnAddWaitsForTheJoin(Asked::kWhileTheThreadEnds);
}

// Found by hotplug_fuzz.
TEST(HotplugRemove, WhatAnsweredAnotherRemovalIsNoAnswerToTheNext) {
  TestBench bench(4, 2);
  const Operation* const first = bench.controller.Remove(1).value();
  bench.guest.Scan();  // the machine thread has not heard of it when its client thinks otherwise
  bench.controller.Cancel(first->id).value();
  const Operation* const second = bench.controller.Remove(1).value();
  bench.Settle();
  EXPECT_FALSE(second->acknowledged());
  EXPECT_THAT(PhasesOf(*second), ElementsAre(Phase::kRequested, Phase::kNotified));
  bench.Obey();
  EXPECT_EQ(second->outcome, Outcome::kDone);
}

TEST(HotplugRemove, AnswersInTimeCountAlsoWhereTheyAreHeardOfAtTheDeadline) {
  TestBench bench(4, 2);
  const Operation* const removal = bench.controller.Remove(1).value();
  bench.guest.Scan();
  bench.LetTimePass();
  EXPECT_EQ(removal->outcome, Outcome::kTimedOut);
  EXPECT_THAT(removal->reason, HasSubstr("took notice, and did not give it up"));
}

// Pitfalls 2 and 17.
TEST(HotplugRemove, StormFromOneToAllAndBackLeavesNothingPending) {
  TestBench bench(8, 1);
  for (int round = 0; round < 100; ++round) {
    bench.controller.SetWanted(CpuSet::FirstN(8)).value();
    bench.guest.Scan();
    bench.controller.SetWanted(CpuSet{0}).value();
    if (round % 3 == 0) {
      bench.Settle();
    }
    for (CpuId cpu = 1; cpu < 8; ++cpu) {
      bench.guest.Ost(cpu, 1, 0);
    }
    bench.Settle();
    bench.guest.Scan();
    bench.controller.SetWanted(CpuSet::FirstN(8)).value();
    for (CpuId cpu = 1; cpu < 8; ++cpu) {
      bench.guest.Eject(cpu);
    }
    bench.Settle();
    bench.EndThreads();
    bench.Obey();
    ASSERT_EQ(bench.pending_count(), 0U) << round;
    ASSERT_EQ(bench.present(), CpuSet::FirstN(8)) << round;
    bench.controller.SetWanted(CpuSet{0}).value();
    bench.Obey();
    ASSERT_EQ(bench.with_thread(), CpuSet{0}) << round;
  }
}

TEST(HotplugRemove, ThirdRequestCancelsTheQueuedAdd) {
  TestBench bench(4, 2);
  const Operation& removal = bench.AskedFor(1);
  const Operation* const add = bench.controller.Add(1, {}).value();
  EXPECT_EQ(bench.controller.Remove(1).value(), &removal);
  EXPECT_EQ(add->outcome, Outcome::kCancelled);
  bench.guest.Eject(1);
  bench.Obey();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench.present(), CpuSet{0});
}

// Pitfalls 18 and 19.
TEST(HotplugRemove, RefusedIsWantedAgainAndTheRetryWorks) {
  for (const std::uint32_t status : {0x80U, 0x82U, 1U}) {
    TestBench bench(4, 1);
    bench.Plug(1, "d");
    const Operation& removal = bench.AskedFor(1);
    bench.guest.Ost(1, 3, 0x84);
    bench.guest.Ost(1, 3, status);
    bench.Settle();
    EXPECT_EQ(removal.outcome, Outcome::kRefused);
    EXPECT_EQ(removal.reason, DescribeOst(3, status));
    EXPECT_TRUE(bench.controller.View(1).wanted);
    EXPECT_THAT(bench.listener.refused, ElementsAre(ListenerLog::Named(1, "d")));
    bench.guest.Eject(1);
    EXPECT_TRUE(bench.guest.IsPresent(1)) << "the authorisation went with the refusal";

    const Operation* const retry = bench.controller.Remove(1).value();
    bench.Obey();
    EXPECT_EQ(retry->outcome, Outcome::kDone);
  }
}

TEST(HotplugRemove, RefusalFollowedByAnEjectionIsAnEjection) {
  TestBench bench(4, 2);
  const Operation& removal = bench.AskedFor(1);
  bench.guest.Ost(1, 3, 0x82);
  bench.guest.Eject(1);
  bench.Settle();
  bench.EndThreads();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
}

TEST(HotplugRemove, SecondRefusalIsNoAnswerToTheRetry) {
  TestBench bench(4, 2);
  bench.AskedFor(1);
  bench.guest.Ost(1, 3, 0x82);
  bench.Settle();
  const Operation* const retry = bench.controller.Remove(1).value();
  bench.guest.Ost(1, 3, 0x82);
  bench.Settle();
  EXPECT_TRUE(retry->pending());
  bench.Obey();
  EXPECT_EQ(retry->outcome, Outcome::kDone);
}

TEST(HotplugRemove, RefusedWithAnAddBehindItEndsBoth) {
  TestBench bench(4, 2);
  bench.AskedFor(1);
  const Operation* const add = bench.controller.Add(1, "d").value();
  bench.guest.Ost(1, 3, 0x82);
  bench.Settle();
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_EQ(bench.pending_count(), 0U);
  EXPECT_EQ(bench.controller.View(1).device_id, "d");
}

TEST(HotplugRemove, InProgressForEverIsOnePhase) {
  TestBench bench(4, 2);
  const Operation& removal = bench.AskedFor(1);
  for (int i = 0; i < 100; ++i) {
    bench.guest.Ost(1, 3, 0x84);
  }
  bench.Settle();
  EXPECT_EQ(removal.reached.size(), 4U);
}

// Pitfall 5.
TEST(HotplugRemove, GuestThatEjectsEverythingUnaskedChangesNothing) {
  TestBench bench(4, 3);
  bench.controller.Remove(2).value();
  for (CpuId cpu = 0; cpu < 4; ++cpu) {
    bench.guest.Eject(cpu);
  }
  bench.Settle();
  bench.EndThreads();
  EXPECT_EQ(bench.present(), (CpuSet{0, 1}));
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1}));
}

TEST(HotplugRemove, OfARefusedAddIsPossible) {
  TestBench bench(4, 1);
  bench.Announced(1);
  bench.guest.Ost(1, 1, 1);
  bench.Settle();
  const Operation* const removal = bench.controller.Remove(1).value();
  bench.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
}

}  // namespace
}  // namespace tidevm::hotplug
