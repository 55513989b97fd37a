// The host's side of the register block: interrupt line, retractions, reset, many threads at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "vmm/hotplug/cpu_register_block.h"
#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using namespace cpu_hotplug;
using testing::ElementsAre;
using testing::IsEmpty;

class CpuRegisterHostTest : public testing::Test {
 protected:
  CpuRegisterHostTest() {
    registers_.Reset(CpuSet{0, 1}, {});
    line_.Forget();
  }

  /// CPU 1, at the host's request; the guest does not look afterwards.
  void EjectUnseen() {
    registers_.RaiseRemove(1);
    guest_.Scan();
    guest_.EjectOnly(1);
  }
  void EjectAndPlugUnseen() {
    EjectUnseen();
    EXPECT_TRUE(registers_.RaiseInsert(1));
  }

  std::unique_ptr<IntentQueue> intents_ = IntentQueue::Create().value();
  LineLog line_;
  CpuRegisterBlock registers_{{0, 1, 2, 3}, line_, *intents_};
  ScriptedGuest guest_{registers_};
};

TEST_F(CpuRegisterHostTest, LineRisesOnceForManyEventsAndFallsWithTheLast) {
  registers_.RaiseInsert(2);
  registers_.RaiseInsert(3);
  registers_.RaiseRemove(1);
  EXPECT_THAT(line_.levels(), ElementsAre(true));
  for (const CpuId cpu : {1U, 2U}) {
    guest_.Select(cpu);
    guest_.WriteFlags(kFlagInsertEvent | kFlagRemoveEvent);
    EXPECT_TRUE(line_.high());
  }
  guest_.Select(3);
  guest_.WriteFlags(kFlagInsertEvent);
  EXPECT_THAT(line_.levels(), ElementsAre(true, false));
}

// Linux looks right after _EJ0, and takes a CPU that is back by then for an incomplete ejection.
TEST_F(CpuRegisterHostTest, WhatIsPluggedBeforeTheGuestHasLookedIsHidden) {
  EjectAndPlugUnseen();
  EXPECT_TRUE(registers_.flags(1).insert_event);
  EXPECT_FALSE(line_.high());
  EXPECT_THAT(guest_.Scan(), IsEmpty());
  EXPECT_FALSE(guest_.IsPresent(1));
  EXPECT_TRUE(line_.high());
  EXPECT_THAT(guest_.Scan(), ElementsAre(ScriptedGuest::Notification{.cpu = 1, .value = 1}));
  EXPECT_TRUE(guest_.IsPresent(1));
}

TEST_F(CpuRegisterHostTest, WhatTheGuestSaysOfTheEjectionShowsWhatIsPlugged) {
  EjectAndPlugUnseen();
  guest_.Ost(1, 3, 0);
  EXPECT_TRUE(line_.high());
}

TEST_F(CpuRegisterHostTest, AnEventThatIsHiddenCannotBeAcknowledged) {
  EjectAndPlugUnseen();
  guest_.WriteFlags(kFlagInsertEvent);
  EXPECT_FALSE(registers_.flags(1).present);
  EXPECT_TRUE(registers_.flags(1).insert_event);
  EXPECT_TRUE(registers_.RetractInsert(1));
}

TEST_F(CpuRegisterHostTest, ANewGuestHasNothingToLookAt) {
  EjectUnseen();
  registers_.Reset(CpuSet{0}, CpuSet{1});
  EXPECT_TRUE(line_.high());
}

TEST_F(CpuRegisterHostTest, RetractionOfTheLastEventLowersTheLine) {
  registers_.RaiseInsert(2);
  EXPECT_TRUE(registers_.RetractInsert(2));
  EXPECT_FALSE(line_.high());
  registers_.RaiseRemove(1);
  EXPECT_TRUE(registers_.RetractRemove(1));
  EXPECT_THAT(line_.levels(), ElementsAre(true, false, true, false));
}

TEST_F(CpuRegisterHostTest, RevocationLowersTheLineToo) {
  registers_.RaiseRemove(1);
  EXPECT_TRUE(registers_.RevokeEject(1));
  EXPECT_FALSE(line_.high());
}

TEST_F(CpuRegisterHostTest, ResetSetsTheLineByWhatIsInserted) {
  registers_.RaiseInsert(2);
  registers_.Reset(CpuSet{0}, {});
  EXPECT_FALSE(line_.high());
  registers_.Reset(CpuSet{0}, CpuSet{3});
  EXPECT_TRUE(line_.high());
}

TEST_F(CpuRegisterHostTest, ResetTellsTheLevelAnewToAnInterruptControllerThatForgotIt) {
  registers_.RaiseInsert(2);
  line_.Forget();
  registers_.Reset(CpuSet{0}, CpuSet{2});
  EXPECT_TRUE(line_.high());
}

TEST_F(CpuRegisterHostTest, RetractedInsertLeavesNothing) {
  registers_.RaiseInsert(2);
  EXPECT_TRUE(registers_.RetractInsert(2));
  EXPECT_EQ(registers_.flags(2), CpuFlags{});
  EXPECT_THAT(guest_.Scan(), IsEmpty());
}

TEST_F(CpuRegisterHostTest, RetractedRemoveTakesTheAuthorisationAlong) {
  registers_.RaiseRemove(1);
  EXPECT_TRUE(registers_.RetractRemove(1));
  guest_.Eject(1);
  EXPECT_EQ(registers_.flags(1), CpuFlags{.present = true});
}

TEST_F(CpuRegisterHostTest, RetractionsAfterTheAcknowledgementFailAndChangeNothing) {
  registers_.RaiseInsert(2);
  registers_.RaiseRemove(1);
  guest_.Scan();
  EXPECT_FALSE(registers_.RetractInsert(2));
  EXPECT_FALSE(registers_.RetractRemove(1));
  EXPECT_TRUE(registers_.flags(2).present);
  EXPECT_TRUE(registers_.flags(1).eject_authorised);
}

// Between its look at the flags and its acknowledgement a scan is on its way to notify.
TEST_F(CpuRegisterHostTest, AnInsertThatAScanHasReadIsNotRetracted) {
  registers_.RaiseInsert(2);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Flags(), kFlagInsertEvent);
  EXPECT_FALSE(registers_.RetractInsert(2));
  EXPECT_TRUE(registers_.flags(2).insert_event);
}

TEST_F(CpuRegisterHostTest, ARemoveThatAScanHasReadIsNotRetracted) {
  registers_.RaiseRemove(1);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Flags(), kFlagPresent | kFlagRemoveEvent);
  EXPECT_FALSE(registers_.RetractRemove(1));
  EXPECT_TRUE(registers_.flags(1).eject_authorised);
}

// Of an add that ran out of time while the guest was between the two, and was then asked back.
TEST_F(CpuRegisterHostTest, AnInsertThatAScanHasReadStaysSoWhileARemoveComesAndGoes) {
  registers_.RaiseInsert(2);
  guest_.Command(kCommandNextWithEvent);
  guest_.Flags();
  registers_.RaiseRemove(2);
  EXPECT_TRUE(registers_.RetractRemove(2));
  registers_.RaiseInsert(2);
  EXPECT_FALSE(registers_.RetractInsert(2));
  EXPECT_TRUE(registers_.flags(2).insert_event);
}

TEST_F(CpuRegisterHostTest, AnEventThatOnlyStaHasReadIsRetracted) {
  registers_.RaiseInsert(2);
  guest_.Command(kCommandNextWithEvent);  // left over from an older scan
  guest_.Select(2);
  guest_.Flags();
  EXPECT_TRUE(registers_.RetractInsert(2));
}

TEST_F(CpuRegisterHostTest, RetractionAfterAnUnacknowledgedEjectionFails) {
  registers_.RaiseRemove(1);
  guest_.Eject(1);
  EXPECT_FALSE(registers_.RetractRemove(1));
}

TEST_F(CpuRegisterHostTest, ResetPutsEverythingBack) {
  registers_.RaiseRemove(1);
  guest_.Scan();
  guest_.Select(3);
  guest_.Command(kCommandApicId);
  registers_.Reset(CpuSet{0, 2}, CpuSet{3});
  EXPECT_EQ(guest_.Data(), 0U) << "selector and command are 0";
  EXPECT_EQ(guest_.Flags(), kFlagPresent);
  EXPECT_EQ(registers_.flags(1), CpuFlags{});
  EXPECT_EQ(registers_.flags(2), CpuFlags{.present = true});
  EXPECT_EQ(registers_.flags(3), CpuFlags{.insert_event = true});
}

// For the thread sanitizer, and for what must hold whatever the order was.
TEST_F(CpuRegisterHostTest, ManyVcpusAndTheHostAtOnceAgreeInTheEnd) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> vcpus;
  for (std::uint32_t seed = 0; seed < 4; ++seed) {
    vcpus.emplace_back([this, &stop, seed] {
      ScriptedGuest guest(registers_);
      for (std::uint32_t i = seed; !stop; ++i) {
        guest.Select(i % 5);
        guest.Command(static_cast<std::uint8_t>(i % 4));
        guest.Write32(kCommandDataOffset, i);
        guest.WriteFlags(static_cast<std::uint8_t>(i));
        guest.Flags();
        guest.Data();
        registers_.Read(i % 13, std::as_writable_bytes(std::span(&i, 1)).first(2));
      }
    });
  }
  for (int round = 0; round < 2000; ++round) {
    registers_.RaiseInsert(2);
    registers_.RaiseRemove(1);
    registers_.RetractInsert(2);
    if (!registers_.RetractRemove(1)) {
      registers_.RevokeEject(1);
    }
    intents_->Take();
    if (round % 16 == 0) {
      registers_.Reset(CpuSet{0, 1}, CpuSet{3});
    }
  }
  stop = true;
  for (std::thread& vcpu : vcpus) {
    vcpu.join();
  }
  guest_.Scan();
  EXPECT_FALSE(line_.high());
  EXPECT_TRUE(registers_.flags(0).present);
  for (CpuId cpu = 0; cpu < 4; ++cpu) {
    EXPECT_FALSE(registers_.flags(cpu).eject_authorised);
  }
}

}  // namespace
}  // namespace tidevm::hotplug
