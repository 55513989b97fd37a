// Guest resets, wanted sets, and what the controller counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using vcpu::VcpuState;

// Pitfall 20.
TEST(HotplugReset, KeepsPendingAddsAndCompletesThePendingRemoval) {
  TestBench bench(5, 2);
  const Operation* const seen = &bench.Announced(2, "seen");
  const Operation* const unseen = bench.controller.Add(3, "unseen").value();
  const Operation* const removal = bench.controller.Remove(1).value();

  bench.ResetGuest();

  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_TRUE(seen->pending());
  EXPECT_TRUE(unseen->pending());
  EXPECT_EQ(bench.present(), CpuSet{0});
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 2, 3}));
  EXPECT_TRUE(bench.line.high());
  bench.Obey();
  EXPECT_EQ(seen->outcome, Outcome::kDone);
  EXPECT_EQ(unseen->outcome, Outcome::kDone);
  EXPECT_EQ(bench.present(), (CpuSet{0, 2, 3}));
  EXPECT_EQ(bench.controller.View(3).device_id, "unseen");
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "")));
}

TEST(HotplugReset, PluggedCpusArePresentFromTheStart) {
  TestBench bench(4, 1);
  bench.Plug(1, "d");
  bench.Plug(2);
  bench.ResetGuest();
  EXPECT_EQ(bench.present(), CpuSet::FirstN(3));
  EXPECT_FALSE(bench.line.high());
  EXPECT_EQ(bench.controller.View(1).device_id, "d");
  EXPECT_EQ(bench.controller.View(1).registered, std::nullopt);
  EXPECT_EQ(bench.vcpus[2]->revivals, 1);
}

TEST(HotplugReset, RemovalBehindAnAddIsDoneAndTheAddCancelled) {
  TestBench bench(4, 1);
  const Operation& add = bench.Announced(1, "d");
  const Operation* const removal = bench.controller.Remove(1).value();
  bench.ResetGuest();
  EXPECT_EQ(add.outcome, Outcome::kCancelled);
  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "d")));
  EXPECT_EQ(bench.controller.View(1).device_id, "");
}

TEST(HotplugReset, AddBehindARemovalBecomesPendingForTheNewGuest) {
  TestBench bench(4, 1);
  bench.Plug(1, "old");
  const Operation& removal = bench.AskedFor(1);
  const Operation* const add = bench.controller.Add(1, "new").value();
  bench.ResetGuest();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_TRUE(add->pending());
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "old")));
  bench.Obey();
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_EQ(bench.controller.View(1).device_id, "new");
}

TEST(HotplugReset, EjectionThatIsUnderWayIsCompleted) {
  TestBench bench(4, 2);
  const Operation& removal = bench.AskedFor(1);
  bench.guest.Eject(1);
  bench.Settle();
  bench.ResetGuest();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench.vcpus[1]->joins, 1);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
}

TEST(HotplugReset, WordsOfTheOldGuestAreNotTakenForTheNewOnes) {
  TestBench bench(4, 1);
  const Operation& add = bench.Announced(1);
  bench.guest.Ost(1, 1, 0);
  bench.ResetGuest();
  bench.Settle();
  EXPECT_TRUE(add.pending());
  bench.Obey();
  EXPECT_EQ(add.outcome, Outcome::kDone);
}

TEST(HotplugReset, RefusedAddIsGoneWithTheGuestThatRefusedIt) {
  TestBench bench(4, 1);
  bench.Announced(1, "d");
  bench.guest.Ost(1, 1, 1);
  bench.Settle();
  bench.ResetGuest();
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "d")));
}

TEST(HotplugReset, WhatCouldNotBeStartedStaysAway) {
  TestBench bench(4, 1);
  bench.fail_start = true;
  bench.controller.Add(1, {}).value();
  bench.vcpus[1]->fail_start = false;
  bench.ResetGuest();
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
}

TEST(HotplugReset, WhatCannotBeMadeNewIsLeftOutAndCanBeAddedLater) {
  TestBench bench(4, 2);
  bench.Plug(2, "d");
  bench.vcpus[1]->fail_start = true;
  bench.vcpus[2]->fail_revive = true;
  bench.ResetGuest();
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
  EXPECT_EQ(bench.present(), CpuSet{0});
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});
  EXPECT_THAT(bench.listener.unplugged,
              ElementsAre(ListenerLog::Named(1, ""), ListenerLog::Named(2, "d")));

  bench.vcpus[1]->fail_start = false;
  bench.vcpus[2]->fail_revive = false;
  bench.Plug(1);
  bench.Plug(2);
  EXPECT_EQ(bench.present(), CpuSet::FirstN(3));
}

TEST(HotplugReset, AnAddThatCannotBeTakenOverTheResetFails) {
  TestBench bench(4, 1);
  const Operation& add = bench.Announced(1);
  bench.vcpus[1]->fail_revive = true;
  bench.ResetGuest();
  EXPECT_EQ(add.outcome, Outcome::kFailed);
  EXPECT_THAT(add.reason, HasSubstr("cannot be revived"));
  EXPECT_FALSE(bench.line.high());
  EXPECT_EQ(bench.pending_count(), 0U);
}

TEST(HotplugReset, WithoutTheFirstVcpuThereIsNoGuest) {
  TestBench bench(4, 2);
  bench.vcpus[0]->fail_revive = true;
  bench.controller.BeginReset();
  bench.EndThreads();
  EXPECT_FALSE(bench.controller.FinishReset().has_value());
}

TEST(HotplugReset, RequestsAreRefusedUntilItIsOver) {
  TestBench bench(4, 2);
  bench.controller.BeginReset();
  EXPECT_EQ(bench.controller.Add(2, {}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(bench.controller.Remove(1).error().code, ErrorCode::kBusy);
  EXPECT_EQ(bench.controller.SetWanted(CpuSet{0}).error().code, ErrorCode::kBusy);
  EXPECT_FALSE(bench.controller.all_stopped());
  bench.EndThreads();
  EXPECT_TRUE(bench.controller.all_stopped());
  bench.controller.FinishReset().value();
  Must(bench.controller.StartAll());
  EXPECT_TRUE(bench.controller.Add(2, {}).has_value());
}

TEST(HotplugReset, ThreadThatHadEndedByItselfIsJoinedAndStartedAnew) {
  TestBench bench(4, 2);
  bench.controller.HandleThreadEnded(
      1, {.kind = vcpu::ThreadEnd::Kind::kTripleFault, .description = {}});
  bench.ResetGuest();
  EXPECT_EQ(bench.vcpus[1]->joins, 1);
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1}));
}

TEST(HotplugSetWanted, RefusesASetWithoutCpuZero) {
  TestBench bench(4, 2);
  for (const CpuSet& set : {CpuSet{}, CpuSet{1, 2}}) {
    EXPECT_EQ(bench.controller.SetWanted(set).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(bench.pending_count(), 0U);
}

TEST(HotplugSetWanted, RefusesTheWholeSetForOneBadId) {
  TestBench bench(4, 1);
  EXPECT_EQ(bench.controller.SetWanted(CpuSet{0, 1, 4}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bench.controller.operations(), IsEmpty());
}

TEST(HotplugSetWanted, IsIdempotentWhilePendingAndAfterwards) {
  TestBench bench(6, 3);
  const CpuSet set{0, 2, 4};
  EXPECT_EQ(bench.controller.SetWanted(set).value().size(), 2U);
  EXPECT_THAT(bench.controller.SetWanted(set).value(), IsEmpty());
  bench.Obey();
  EXPECT_THAT(bench.controller.SetWanted(set).value(), IsEmpty());
  EXPECT_EQ(bench.controller.wanted(), set);
  EXPECT_EQ(bench.present(), set);
}

TEST(HotplugSetWanted, AnswersWithOperationsThatStillExistHoweverMany) {
  TestBench bench(1500, 1);
  bench.fail_make = true;
  const auto operations = bench.controller.SetWanted(CpuSet::FirstN(1500)).value();
  ASSERT_EQ(operations.size(), 1499U);
  for (CpuId cpu = 1; cpu < 1500; ++cpu) {
    ASSERT_EQ(operations[cpu - 1]->cpu, cpu);
  }
}

TEST(HotplugController, LogOfOperationsIsBounded) {
  TestBench bench(2, 1);
  for (int round = 0; round < 1000; ++round) {
    bench.Plug(1);
    bench.controller.Remove(1).value();
    bench.Obey();
  }
  EXPECT_LE(bench.controller.operations().size(), 512U);
}

TEST(HotplugController, CountsThreadsAndThoseThatAreHeld) {
  TestBench bench(4, 3);
  EXPECT_EQ(bench.controller.thread_count(), 3U);
  EXPECT_EQ(bench.controller.held_count(), 0U);
  bench.controller.KickAll();
  bench.vcpus[0]->is_held = true;
  bench.controller.HandleThreadEnded(
      1, {.kind = vcpu::ThreadEnd::Kind::kTripleFault, .description = {}});
  EXPECT_EQ(bench.controller.held_count(), 2U) << "an ended thread runs no more";
  EXPECT_EQ(bench.vcpus[2]->kicks, 1);
}

TEST(HotplugController, BrokenThreadIsAFailedVcpu) {
  TestBench bench(4, 2);
  bench.controller.HandleThreadEnded(1,
                                     {.kind = vcpu::ThreadEnd::Kind::kBroken, .description = "x"});
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kFailed);
  EXPECT_THAT(bench.listener.states[1], Contains(VcpuState::kFailed));
}

}  // namespace
}  // namespace tidevm::hotplug
