// vCPUs that KVM cannot go on with: whether the guest can, and how they come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using vcpu::VcpuState;

/// The thread ends by itself. The answer is whether the guest can go on.
bool Break(TestBench& bench, CpuId cpu) {
  return bench.controller.HandleThreadEnded(
      cpu, {.kind = vcpu::ThreadEnd::Kind::kBroken, .description = "entry failed"});
}

TEST(HotplugBroken, BeforeTheGuestTookNoticeItIsAsIfNobodyHadAsked) {
  TestBench bench(4, 1);
  bench.GuestArms();
  const Operation* const add = bench.controller.Add(1, {}).value();
  EXPECT_TRUE(Break(bench, 1));
  EXPECT_EQ(add->outcome, Outcome::kFailed);
  EXPECT_EQ(add->reason, "entry failed");
  EXPECT_THAT(bench.listener.states[1], Contains(VcpuState::kFailed));
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
  EXPECT_FALSE(bench.line.high());
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});

  const Operation* const next = bench.controller.Add(1, {}).value();
  bench.Obey();
  EXPECT_EQ(next->outcome, Outcome::kDone);
}

TEST(HotplugBroken, AfterTheGuestTookNoticeItIsRemovedBeforeItIsAddedAgain) {
  TestBench bench(4, 1);
  bench.GuestArms();
  const Operation& add = bench.Announced(1, "d");
  EXPECT_TRUE(Break(bench, 1));
  EXPECT_EQ(add.outcome, Outcome::kFailed);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kFailed);
  EXPECT_EQ(bench.controller.View(1).online, false);
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});

  const Operation* const again = bench.controller.Add(1, {}).value();
  EXPECT_EQ(again->outcome, Outcome::kFailed);
  EXPECT_THAT(again->reason, HasSubstr("remove it first"));

  const Operation* const removal = bench.controller.Remove(1).value();
  bench.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
  EXPECT_THAT(bench.listener.unplugged, ElementsAre(ListenerLog::Named(1, "d")));
  bench.Plug(1);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kRunning);
  EXPECT_EQ(bench.controller.View(1).online, true);
}

TEST(HotplugBroken, WhereTheGuestReliesOnItTheGuestCannotGoOn) {
  TestBench bench(4, 2);
  EXPECT_FALSE(Break(bench, 0));
  EXPECT_FALSE(Break(bench, 1)) << "there from the start";
  bench.Plug(2);
  EXPECT_FALSE(Break(bench, 2)) << "registered, and this guest says no more";
}

TEST(HotplugBroken, OneThatHasBeenOnlineIsReliedOnUntilItIsEjected) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Plug(1);
  bench.AskedFor(1);
  bench.Arm(1, false);
  EXPECT_FALSE(Break(bench, 1)) << "it runs on for a while when it goes down";
}

TEST(HotplugBroken, OneThatIsRegisteredAndNotOnlineIsNotWantedAnyMore) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Announced(1);
  bench.guest.Ost(1, 1, 0);
  bench.Settle();
  bench.LetTimePass();
  EXPECT_EQ(bench.controller.wanted(), (CpuSet{0, 1}));
  EXPECT_TRUE(Break(bench, 1));
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});
  EXPECT_EQ(bench.controller.Add(1, {}).value()->outcome, Outcome::kFailed);
  EXPECT_EQ(bench.controller.Remove(1).value()->kind, OperationKind::kRemove);
  bench.Obey();
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
}

TEST(HotplugBroken, InTheMidstOfItsRemovalItIsEjectedAsAnyOther) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Announced(1);
  bench.guest.Ost(1, 1, 0);
  bench.Settle();
  const Operation& removal = bench.AskedFor(1);  // overtakes the add, which waits for "online"
  EXPECT_TRUE(Break(bench, 1));
  EXPECT_TRUE(removal.pending());
  bench.guest.Eject(1);
  bench.Obey();
  EXPECT_EQ(removal.outcome, Outcome::kDone);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kParked);
}

TEST(HotplugBroken, ARemovalThatTheGuestRefusesCanBeAskedForAgain) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Announced(1);
  Break(bench, 1);
  const Operation& refused = bench.AskedFor(1);
  bench.guest.Ost(1, 3, 0x82);
  bench.Settle();
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kFailed);
  EXPECT_EQ(bench.controller.wanted(), CpuSet{0});
  const Operation* const removal = bench.controller.Remove(1).value();
  bench.Obey();
  EXPECT_EQ(removal->outcome, Outcome::kDone);
}

TEST(HotplugBroken, AnAddBehindItsRemovalComesTrue) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Announced(1);
  Break(bench, 1);
  bench.controller.Remove(1).value();
  const Operation* const add = bench.controller.Add(1, {}).value();
  bench.Obey();
  EXPECT_EQ(add->outcome, Outcome::kDone);
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1}));
  EXPECT_EQ(bench.controller.View(1).state, VcpuState::kRunning);
}

TEST(HotplugBroken, AGuestResetMakesItNewWithoutPluggingIt) {
  TestBench bench(4, 1);
  bench.GuestArms();
  bench.Announced(1);
  Break(bench, 1);
  bench.ResetGuest();
  EXPECT_EQ(bench.with_thread(), CpuSet{0});
  bench.Plug(1);
  EXPECT_EQ(bench.with_thread(), (CpuSet{0, 1}));
}

}  // namespace
}  // namespace tidevm::hotplug
