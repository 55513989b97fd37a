// What completes an operation, what ends it otherwise, and that the next request works after each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using vcpu::VcpuState;
using enum Phase;

class HotplugProof : public testing::Test {
 protected:
  void SetUp() override { bench_.GuestArms(); }
  CpuView View(CpuId cpu) const { return bench_.controller.View(cpu); }
  /// Registered by the guest, and not put online.
  const Operation& Registered(CpuId cpu) {
    const Operation& operation = bench_.Announced(cpu);
    bench_.guest.Ost(cpu, 1, 0);
    bench_.Settle();
    return operation;
  }
  void ExpectNextAddAndRemoveWork(CpuId cpu) {
    const Operation* const add =
        View(cpu).wanted ? nullptr : bench_.controller.Add(cpu, {}).value();
    bench_.Obey();
    if (add != nullptr) {
      EXPECT_EQ(add->outcome, Outcome::kDone) << add->reason;
    }
    EXPECT_TRUE(bench_.present().Contains(cpu));
    const Operation* const removal = bench_.controller.Remove(cpu).value();
    bench_.Obey();
    EXPECT_EQ(removal->outcome, Outcome::kDone) << removal->reason;
    EXPECT_FALSE(bench_.with_thread().Contains(cpu));
  }

  TestBench bench_{4, 2};
};

TEST_F(HotplugProof, AddIsDoneWhenRegisteredAndOnline) {
  const Operation* const add = bench_.controller.Add(2, {}).value();
  bench_.controller.HandleThreadStarted(2);
  bench_.guest.Scan();
  bench_.guest.Ost(2, 1, 0);
  bench_.Settle();
  EXPECT_TRUE(add->pending());
  EXPECT_EQ(View(2).online, false);
  bench_.controller.HandleBooting(2);
  bench_.controller.HandleOnline(2, true);
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_THAT(PhasesOf(*add), ElementsAre(kRequested, kCreated, kNotified, kStarted, kAcknowledged,
                                          kRegistered, kBooting, kOnline));
  EXPECT_EQ(View(2).online, true);
  EXPECT_THAT(bench_.listener.onlines[2], Contains(std::optional(true)));
}

TEST_F(HotplugProof, OnlineMayComeBeforeRegistered) {
  const Operation& add = bench_.Announced(2);
  bench_.controller.HandleOnline(2, true);
  EXPECT_TRUE(add.pending());
  bench_.guest.Ost(2, 1, 0);
  bench_.Settle();
  EXPECT_EQ(add.outcome, Outcome::kDone);
}

TEST_F(HotplugProof, OnlineAndDownAgainBeforeRegisteredIsNotOnline) {
  const Operation& add = bench_.Announced(2);
  for (int i = 0; i < 100; ++i) {
    bench_.controller.HandleOnline(2, true);
    bench_.controller.HandleOnline(2, false);
  }
  bench_.guest.Ost(2, 1, 0);
  bench_.Settle();
  EXPECT_TRUE(add.pending());
  EXPECT_LT(add.reached.size(), 10U) << "a guest that goes up and down fills nothing";
  bench_.controller.HandleOnline(2, true);
  EXPECT_EQ(add.outcome, Outcome::kDone);
}

TEST(HotplugProofless, GuestThatSaysNothingIsRegisteredAndOnlineUnknown) {
  TestBench bench(4, 1);
  bench.Plug(2);
  EXPECT_EQ(bench.controller.operations().back().outcome, Outcome::kDone);
  EXPECT_EQ(bench.controller.View(2).registered, true);
  EXPECT_EQ(bench.controller.View(2).online, std::nullopt);
  EXPECT_EQ(bench.controller.View(3).online, false) << "it does not even have a thread";
}

TEST_F(HotplugProof, RemoveShowsTheCpuGoingDown) {
  const Operation& removal = bench_.AskedFor(1);
  bench_.Answer(1, 3);
  bench_.Obey();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_THAT(PhasesOf(removal), ElementsAre(kRequested, kNotified, kAcknowledged, kOstInProgress,
                                             kGoingDown, kEjected, kJoined, kParked));
  EXPECT_EQ(View(1).online, false);
}

TEST_F(HotplugProof, AfterAResetTheNewGuestHasToSayItAnew) {
  bench_.Plug(2);
  bench_.ResetGuest();
  EXPECT_EQ(View(0).online, std::nullopt);
  EXPECT_EQ(View(2).online, std::nullopt);
  bench_.controller.HandleOnline(0, true);
  EXPECT_EQ(View(2).online, false);
}

TEST_F(HotplugProof, AnUnnoticedRequestSaysWhetherTheGuestCouldHaveNoticed) {
  struct Case {
    std::optional<bool> handler;
    const char* reason;
  };
  for (const auto& [handler, reason] : {Case{std::nullopt, "it has no ACPI CPU hotplug, or"},
                                        Case{false, "no handler for the hotplug interrupt"},
                                        Case{true, "it hangs, or is too busy"}}) {
    TestBench bench(4, 2);
    bench.line.handler = handler;
    const Operation* const add = bench.controller.Add(2, {}).value();
    const Operation* const removal = bench.controller.Remove(1).value();
    bench.LetTimePass();
    EXPECT_THAT(add->reason, HasSubstr(reason));
    EXPECT_THAT(removal->reason, HasSubstr(reason));
  }
}

TEST_F(HotplugProof, UnnoticedAddIsTakenBackWhenItsTimeIsOver) {
  const Operation* const add = bench_.controller.Add(2, "d", milliseconds(5)).value();
  bench_.controller.HandleDeadlines(add->deadline - milliseconds(1));
  EXPECT_TRUE(add->pending());
  bench_.controller.HandleDeadlines(add->deadline);
  EXPECT_EQ(add->outcome, Outcome::kTimedOut);
  EXPECT_THAT(add->reason, HasSubstr("never took notice"));
  EXPECT_FALSE(View(2).wanted);
  EXPECT_THAT(bench_.guest.Scan(), IsEmpty());
  bench_.EndThreads();
  EXPECT_EQ(View(2).state, VcpuState::kParked);
  EXPECT_EQ(View(2).device_id, "");
  ExpectNextAddAndRemoveWork(2);
}

TEST_F(HotplugProof, AddRightAfterOneThatWasTakenBackWaitsForTheThread) {
  const Operation* const first = bench_.controller.Add(2, {}).value();
  bench_.LetTimePass();
  const Operation* const second = bench_.controller.Add(2, {}).value();
  EXPECT_EQ(first->outcome, Outcome::kTimedOut);
  EXPECT_TRUE(second->pending());
  EXPECT_THAT(PhasesOf(*second), ElementsAre(kRequested));
  bench_.Obey();
  EXPECT_EQ(second->outcome, Outcome::kDone);
  EXPECT_EQ(bench_.vcpus[2]->starts, 2);
}

TEST_F(HotplugProof, RemoveRightAfterThatTooEndsWithTheThread) {
  bench_.controller.Add(2, {}).value();
  bench_.LetTimePass();
  const Operation* const again = bench_.controller.Add(2, {}).value();
  const Operation* const removal = bench_.controller.Remove(2).value();
  EXPECT_EQ(again->outcome, Outcome::kCancelled);
  bench_.EndThreads();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_EQ(View(2).state, VcpuState::kParked);
}

TEST_F(HotplugProof, ResetWhileTheThreadOfSuchAnAddEndsKeepsTheNextOne) {
  bench_.controller.Add(2, "old").value();
  bench_.LetTimePass();
  const Operation* const second = bench_.controller.Add(2, "new").value();
  bench_.ResetGuest();
  bench_.GuestArms();
  EXPECT_TRUE(second->pending());
  bench_.Obey();
  EXPECT_EQ(second->outcome, Outcome::kDone);
  EXPECT_EQ(View(2).device_id, "new");
}

TEST_F(HotplugProof, AcknowledgedAndNeverAnsweredTimesOutAndTheVcpuStays) {
  const Operation& add = bench_.Announced(2);
  bench_.LetTimePass();
  EXPECT_EQ(add.outcome, Outcome::kTimedOut);
  EXPECT_THAT(add.reason, HasSubstr("never said"));
  EXPECT_FALSE(View(2).wanted);
  EXPECT_TRUE(View(2).flags.present) << "the guest may use it any time";
  ExpectNextAddAndRemoveWork(2);
}

TEST_F(HotplugProof, SeenAndNotAcknowledgedTimesOutAndTheVcpuStays) {
  const Operation* const add = bench_.controller.Add(2, {}).value();
  bench_.guest.Command(cpu_hotplug::kCommandNextWithEvent);
  bench_.guest.Flags();
  bench_.LetTimePass();
  EXPECT_EQ(add->outcome, Outcome::kTimedOut);
  EXPECT_THAT(add->reason, HasSubstr("began to take notice"));
  ExpectNextAddAndRemoveWork(2);
}

// The guest stopped between its look at the insert event and the acknowledgement.
TEST_F(HotplugProof, AskedBackAndAddedAgainBeforeTheAcknowledgementIsNotDoneByThat) {
  static_cast<void>(bench_.controller.Add(2, {}).value());
  bench_.guest.Command(cpu_hotplug::kCommandNextWithEvent);
  bench_.guest.Flags();
  bench_.LetTimePass();
  const Operation* const removal = bench_.controller.Remove(2).value();

  const Operation* const add = bench_.controller.Add(2, {}).value();

  EXPECT_EQ(removal->outcome, Outcome::kCancelled);
  EXPECT_TRUE(add->pending()) << "the guest does not have it";
  bench_.Obey();
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_TRUE(View(2).flags.present);
}

TEST_F(HotplugProof, AskedBackInVainBeforeTheAcknowledgementIsNotPluggedByThat) {
  static_cast<void>(bench_.controller.Add(2, {}).value());
  bench_.guest.Command(cpu_hotplug::kCommandNextWithEvent);
  bench_.guest.Flags();
  bench_.LetTimePass();
  const Operation* const removal = bench_.controller.Remove(2).value();
  EXPECT_TRUE(bench_.controller.Cancel(removal->id));
  EXPECT_FALSE(View(2).wanted) << "nor was it before";
  ExpectNextAddAndRemoveWork(2);
}

// Pitfall 11.
TEST_F(HotplugProof, RegisteredAndNotOnlineTimesOutAndSaysSo) {
  const Operation& add = Registered(2);
  bench_.LetTimePass();
  EXPECT_EQ(add.outcome, Outcome::kTimedOut);
  EXPECT_THAT(add.reason, HasSubstr("registered, not online"));
  EXPECT_TRUE(View(2).wanted) << "it is plugged";
  EXPECT_THAT(bench_.controller.SetWanted(CpuSet{0, 1, 2}).value(), IsEmpty());
  ExpectNextAddAndRemoveWork(2);
}

TEST_F(HotplugProof, OnlineWithoutAnOstIsProofEnoughInTheEnd) {
  const Operation& add = bench_.Announced(2);
  bench_.controller.HandleOnline(2, true);
  bench_.LetTimePass();
  EXPECT_EQ(add.outcome, Outcome::kDone);
}

TEST_F(HotplugProof, OnlineWithoutTakingNoticeIsNot) {
  const Operation* const add = bench_.controller.Add(2, {}).value();
  bench_.controller.HandleOnline(2, true);
  bench_.LetTimePass();
  EXPECT_EQ(add->outcome, Outcome::kTimedOut);
}

TEST_F(HotplugProof, LateAnswersAreShownAndChangeNothing) {
  const Operation& add = bench_.Announced(2);
  bench_.LetTimePass();
  bench_.guest.Ost(2, 1, 0);
  bench_.Settle();
  bench_.controller.HandleOnline(2, true);
  EXPECT_EQ(add.outcome, Outcome::kTimedOut);
  EXPECT_EQ(View(2).registered, true);
  EXPECT_EQ(View(2).online, true);
  EXPECT_FALSE(View(2).wanted);
  const auto healed = bench_.controller.SetWanted(CpuSet{0, 1}).value();
  ASSERT_EQ(healed.size(), 1U);
  bench_.Obey();
  EXPECT_EQ(bench_.with_thread(), (CpuSet{0, 1}));
}

TEST_F(HotplugProof, RemovalOfWhatIsRegisteredAndNotOnlineWaitsForNothing) {
  const Operation& add = Registered(2);
  const Operation* const removal = bench_.controller.Remove(2).value();
  EXPECT_EQ(add.outcome, Outcome::kCancelled);
  EXPECT_THAT(add.reason, HasSubstr("registered, not online"));
  bench_.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
}

TEST_F(HotplugProof, RemovalThatWaitsBehindAnAddGoesOnWhenThatIsRegistered) {
  const Operation& add = bench_.Announced(2);
  const Operation* const removal = bench_.controller.Remove(2).value();
  bench_.guest.Ost(2, 1, 0);
  bench_.Settle();
  EXPECT_EQ(add.outcome, Outcome::kCancelled);
  EXPECT_THAT(PhasesOf(*removal), Contains(kNotified));
  bench_.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
}

TEST_F(HotplugProof, SilentRemovalTimesOutStaysAndCanBeRetried) {
  struct Case {
    int steps;
    const char* reason;
  };
  for (const auto& [steps, reason] : {Case{0, "never took notice"}, Case{1, "did not give it up"},
                                      Case{2, "did not finish"}, Case{3, "did not eject it"}}) {
    TestBench bench(4, 2);
    bench.GuestArms();
    bench.controller.HandleOnline(1, true);
    const Operation* const removal = bench.controller.Remove(1).value();
    if (steps >= 1) {
      bench.guest.Scan();
    }
    if (steps >= 2) {
      bench.guest.Ost(1, 3, 0x84);
    }
    bench.Settle();
    if (steps >= 3) {
      bench.controller.HandleOnline(1, false);
    }
    bench.LetTimePass();
    EXPECT_EQ(removal->outcome, Outcome::kTimedOut);
    EXPECT_THAT(removal->reason, HasSubstr(reason));
    EXPECT_TRUE(bench.controller.View(1).wanted);
    EXPECT_EQ(bench.controller.View(1).state, VcpuState::kRunning);
    bench.guest.Eject(1);
    EXPECT_TRUE(bench.guest.IsPresent(1)) << "too late";

    const Operation* const retry = bench.controller.Remove(1).value();
    bench.Obey();
    EXPECT_EQ(retry->outcome, Outcome::kDone);
  }
}

TEST_F(HotplugProof, EjectedInTheLastMomentIsEjected) {
  const Operation& removal = bench_.AskedFor(1);
  bench_.guest.Eject(1);
  bench_.LetTimePass();  // the ejection waits in the queue
  EXPECT_TRUE(removal.pending());
  bench_.Settle();
  bench_.LetTimePass();  // the thread is on its way out
  EXPECT_TRUE(removal.pending());
  bench_.EndThreads();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
}

TEST_F(HotplugProof, WhatWaitsBehindASilentOneTimesOutByItself) {
  const Operation* const removal = &bench_.AskedFor(1);
  const Operation* const add = bench_.controller.Add(1, {}, milliseconds(1)).value();
  bench_.controller.HandleDeadlines(add->deadline);
  EXPECT_EQ(add->outcome, Outcome::kTimedOut);
  EXPECT_TRUE(removal->pending());
  EXPECT_FALSE(View(1).wanted);
}

TEST_F(HotplugProof, CancelBeforeTheGuestTakesNotice) {
  const Operation* const add = bench_.controller.Add(2, {}).value();
  const Operation* const removal = bench_.controller.Remove(1).value();
  for (const Operation* const operation : {add, removal}) {
    EXPECT_EQ(bench_.controller.Cancel(operation->id).value(), operation);
    EXPECT_EQ(operation->outcome, Outcome::kCancelled);
    EXPECT_THAT(operation->reason, HasSubstr("by a client"));
  }
  EXPECT_THAT(bench_.guest.Scan(), IsEmpty());
  bench_.EndThreads();
  EXPECT_EQ(bench_.with_thread(), (CpuSet{0, 1}));
  ExpectNextAddAndRemoveWork(2);
  ExpectNextAddAndRemoveWork(1);
}

TEST_F(HotplugProof, CancelOfAnAddThatTheGuestKnowsIsRefusedWithTheRemedy) {
  const Operation& add = bench_.Announced(2);
  const auto cancelled = bench_.controller.Cancel(add.id);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kBusy);
  EXPECT_THAT(cancelled.error().message, HasSubstr("removal instead"));
  EXPECT_TRUE(add.pending());
}

TEST_F(HotplugProof, CancelOfARemovalThatTheGuestKnowsKeepsTheVcpu) {
  const Operation& removal = bench_.AskedFor(1);
  bench_.controller.Cancel(removal.id).value();
  EXPECT_EQ(removal.outcome, Outcome::kCancelled);
  EXPECT_THAT(removal.reason, HasSubstr("may have put the vCPU offline"));
  bench_.guest.Eject(1);
  EXPECT_TRUE(bench_.guest.IsPresent(1));
  ExpectNextAddAndRemoveWork(1);
}

TEST_F(HotplugProof, CancelOfAnEjectedRemovalIsTooLate) {
  const Operation& removal = bench_.AskedFor(1);
  bench_.guest.Eject(1);
  EXPECT_EQ(bench_.controller.Cancel(removal.id).error().code, ErrorCode::kBusy);
  bench_.Settle();
  EXPECT_EQ(bench_.controller.Cancel(removal.id).error().code, ErrorCode::kBusy);
  bench_.EndThreads();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench_.controller.Cancel(removal.id).error().code, ErrorCode::kNotFound);
}

TEST_F(HotplugProof, CancelOfWhatWaitsRestoresWhatIsUnderWay) {
  bench_.AskedFor(1);
  const Operation* const add = bench_.controller.Add(1, {}).value();
  bench_.controller.Cancel(add->id).value();
  EXPECT_EQ(add->outcome, Outcome::kCancelled);
  EXPECT_FALSE(View(1).wanted);

  bench_.Announced(2);
  const Operation* const removal = bench_.controller.Remove(2).value();
  bench_.controller.Cancel(removal->id).value();
  EXPECT_TRUE(View(2).wanted);
}

TEST_F(HotplugProof, TimeStandsStillWhileTheMachineIsPaused) {
  const auto begin = Operation::Clock::now();
  const Operation* const add = bench_.controller.Add(2, {}, seconds(10)).value();
  const auto deadline = add->deadline;
  EXPECT_EQ(bench_.controller.next_deadline(), deadline);
  bench_.controller.PauseDeadlines(begin);
  EXPECT_EQ(bench_.controller.next_deadline(), std::nullopt);
  bench_.LetTimePass();
  EXPECT_TRUE(add->pending());
  bench_.controller.ResumeDeadlines(begin + seconds(60));
  EXPECT_EQ(bench_.controller.next_deadline(), deadline + seconds(60));
}

TEST_F(HotplugProof, NothingPendingNoDeadline) {
  EXPECT_EQ(bench_.controller.next_deadline(), std::nullopt);
  bench_.controller.Add(2, {}, seconds(10)).value();
  const auto first = bench_.controller.next_deadline();
  bench_.controller.Remove(1, seconds(5)).value();
  EXPECT_LT(bench_.controller.next_deadline(), first);
  bench_.Obey();
  EXPECT_EQ(bench_.controller.next_deadline(), std::nullopt);
}

TEST_F(HotplugProof, MetricsCountPhasesAndEnds) {
  bench_.Plug(2);
  bench_.controller.Add(3, {}).value();
  bench_.LetTimePass();
  const OperationMetrics& metrics = bench_.controller.metrics();
  EXPECT_EQ(metrics.ended(OperationKind::kAdd, Outcome::kDone), 1U);
  EXPECT_EQ(metrics.ended(OperationKind::kAdd, Outcome::kTimedOut), 1U);
  EXPECT_EQ(metrics.ended(OperationKind::kRemove, Outcome::kDone), 0U);
  const auto count = [&](Phase phase) {
    std::uint64_t sum = 0;
    for (const std::uint64_t each : metrics.latency(OperationKind::kAdd, phase).counts) {
      sum += each;
    }
    return sum;
  };
  EXPECT_EQ(count(kRequested), 2U);
  EXPECT_EQ(count(kOnline), 1U);
  EXPECT_EQ(count(kParked), 0U);
}

TEST(OperationMetrics, BoundsBelongToTheirClass) {
  OperationMetrics metrics;
  const auto count = [&](std::chrono::nanoseconds time) {
    metrics.CountPhase(OperationKind::kAdd, kOnline, time);
  };
  count(std::chrono::microseconds(100));
  count(std::chrono::nanoseconds(100'001));
  count(std::chrono::hours(1));
  const auto latency = metrics.latency(OperationKind::kAdd, kOnline);
  EXPECT_EQ(latency.counts.front(), 1U);
  EXPECT_EQ(latency.counts[1], 1U);
  EXPECT_EQ(latency.counts.back(), 1U);
  EXPECT_EQ(latency.sum, std::chrono::hours(1) + std::chrono::nanoseconds(200'001));
}

TEST_F(HotplugProof, AffinityNeedsAVcpu) {
  EXPECT_EQ(bench_.controller.SetAffinity(4, CpuSet{0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bench_.controller.SetAffinity(3, CpuSet{0}).error().message, HasSubstr("plug it"));
  Must(bench_.controller.SetAffinity(1, CpuSet{0, 1}));
  EXPECT_EQ(View(1).affinity, (CpuSet{0, 1}));
}

}  // namespace
}  // namespace tidevm::hotplug
