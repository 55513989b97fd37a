#include "vmm/hotplug/cpu_register_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using namespace cpu_hotplug;
using testing::ElementsAre;
using testing::IsEmpty;

// Four CPUs with APIC ids that are not their own; 0 and 1 are present.
class CpuRegisterBlockTest : public testing::Test {
 protected:
  CpuRegisterBlockTest() { registers_.Reset(CpuSet{0, 1}, {}); }

  std::vector<IntentKind> TakeKinds() {
    std::vector<IntentKind> kinds;
    for (const Intent& intent : intents_->Take()) {
      kinds.push_back(intent.kind);
    }
    return kinds;
  }

  /// The remove event of CPU 1 raised and acknowledged.
  void AskForCpu1() {
    registers_.RaiseRemove(1);
    guest_.Scan();
    intents_->Take();
  }

  std::unique_ptr<IntentQueue> intents_ = IntentQueue::Create().value();
  LineLog line_;
  CpuRegisterBlock registers_{{0, 2, 4, 6}, line_, *intents_};
  ScriptedGuest guest_{registers_};
};

TEST_F(CpuRegisterBlockTest, ReadsOfEveryOffsetAndWidthGiveTheFieldOrZeroAndAreCounted) {
  guest_.Select(1);
  guest_.Command(kCommandApicId);
  for (std::uint64_t offset = 0; offset <= kBlockSize; ++offset) {
    for (const std::size_t width : {1U, 2U, 4U, 8U}) {
      std::vector<std::byte> data(width, std::byte{0x5a});
      const std::uint64_t bad_before = registers_.bad_accesses();

      registers_.Read(offset, data);

      std::uint64_t value = 0;
      std::memcpy(&value, data.data(), width);
      const bool is_flags = offset == kFlagsOffset && width == 1;
      const bool is_data = offset == kCommandDataOffset && width == 4;
      const bool is_data2 = offset == kCommandData2Offset && width == 4;
      const std::uint64_t expected = is_flags ? kFlagPresent : is_data ? 2 : 0;
      EXPECT_EQ(value, expected) << offset << " " << width;
      EXPECT_EQ(registers_.bad_accesses() - bad_before, is_flags || is_data || is_data2 ? 0U : 1U)
          << offset << " " << width;
    }
  }
}

TEST_F(CpuRegisterBlockTest, WritesOfNoFieldChangeNothingAndAreCounted) {
  AskForCpu1();
  guest_.Select(1);
  guest_.Command(kCommandApicId);
  for (std::uint64_t offset = 0; offset <= kBlockSize; ++offset) {
    for (const std::size_t width : {1U, 2U, 4U, 8U}) {
      const bool is_field =
          (width == 4 && (offset == kSelectorOffset || offset == kCommandDataOffset)) ||
          (width == 1 && (offset == kFlagsOffset || offset == kCommandOffset));
      if (is_field) {
        continue;
      }
      const std::uint64_t bad_before = registers_.bad_accesses();

      registers_.Write(offset, std::vector<std::byte>(width, std::byte{0xff}));

      EXPECT_EQ(registers_.bad_accesses(), bad_before + 1) << offset << " " << width;
      EXPECT_EQ(guest_.Flags(), kFlagPresent) << offset << " " << width;
      EXPECT_EQ(guest_.Data(), 2U) << offset << " " << width;
    }
  }
  EXPECT_THAT(TakeKinds(), IsEmpty());
}

TEST_F(CpuRegisterBlockTest, SelectorOutOfRangeReadsZeroAndWritesNothing) {
  AskForCpu1();
  for (const std::uint32_t selector : {4U, 5U, 0x80000000U, 0xffffffffU}) {
    guest_.Select(selector);
    for (const std::uint8_t command : {kCommandApicId, kCommandOstEvent, kCommandOstStatus}) {
      guest_.Command(command);
      EXPECT_EQ(guest_.Flags(), 0);
      EXPECT_EQ(guest_.Data(), 0U);
      guest_.WriteFlags(0xff);
      guest_.Write32(kCommandDataOffset, 1);
    }
  }
  EXPECT_THAT(TakeKinds(), IsEmpty());
  EXPECT_EQ(registers_.bad_accesses(), 0U);
}

TEST_F(CpuRegisterBlockTest, NextWithEventStaysOnTheSelectedCpuThatHasOne) {
  registers_.RaiseInsert(2);
  registers_.RaiseInsert(3);
  guest_.Select(3);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Data(), 3U);
}

TEST_F(CpuRegisterBlockTest, NextWithEventWraps) {
  registers_.RaiseRemove(1);
  guest_.Select(2);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Data(), 1U);
}

TEST_F(CpuRegisterBlockTest, NextWithEventKeepsTheSelectorWhereNoneHasOne) {
  guest_.Select(2);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Data(), 2U);
  EXPECT_EQ(guest_.Flags() & (kFlagInsertEvent | kFlagRemoveEvent), 0);
}

TEST_F(CpuRegisterBlockTest, NextWithEventSearchesFromZeroWhereTheSelectorIsOutOfRange) {
  registers_.RaiseInsert(3);
  registers_.RaiseRemove(1);
  guest_.Select(1000);
  guest_.Command(kCommandNextWithEvent);
  EXPECT_EQ(guest_.Data(), 1U);
}

TEST_F(CpuRegisterBlockTest, CommandDataReadsWhatTheCommandSays) {
  struct Case {
    std::uint8_t command;
    std::uint32_t data;
  };
  guest_.Select(3);
  for (const auto& [command, data] :
       {Case{kCommandNextWithEvent, 3}, Case{kCommandOstEvent, 0}, Case{kCommandOstStatus, 0},
        Case{kCommandApicId, 6}, Case{4, 0}, Case{0xff, 0}}) {
    guest_.Command(command);
    EXPECT_EQ(guest_.Data(), data) << int{command};
    EXPECT_EQ(guest_.Read32(kCommandData2Offset), 0U) << int{command};
  }
}

TEST_F(CpuRegisterBlockTest, FlagsShowEachEventAlone) {
  registers_.RaiseInsert(2);
  registers_.RaiseRemove(1);
  guest_.Select(0);
  EXPECT_EQ(guest_.Flags(), kFlagPresent);
  guest_.Select(1);
  EXPECT_EQ(guest_.Flags(), kFlagPresent | kFlagRemoveEvent);
  guest_.Select(2);
  EXPECT_EQ(guest_.Flags(), kFlagInsertEvent) << "not present before the acknowledgement";
}

TEST_F(CpuRegisterBlockTest, AcknowledgedInsertMakesPresentAndIsPosted) {
  registers_.RaiseInsert(2);
  guest_.Select(2);
  guest_.WriteFlags(kFlagInsertEvent);
  EXPECT_EQ(guest_.Flags(), kFlagPresent);
  const auto intents = intents_->Take();
  ASSERT_EQ(intents.size(), 1U);
  EXPECT_EQ(intents[0].kind, IntentKind::kInsertAcknowledged);
  EXPECT_EQ(intents[0].cpu, 2U);
}

TEST_F(CpuRegisterBlockTest, AcknowledgedRemoveKeepsPresentAndTheAuthorisation) {
  registers_.RaiseRemove(1);
  guest_.Select(1);
  guest_.WriteFlags(kFlagRemoveEvent);
  EXPECT_EQ(registers_.flags(1), (CpuFlags{.present = true, .eject_authorised = true}));
  EXPECT_THAT(TakeKinds(), ElementsAre(IntentKind::kRemoveAcknowledged));
}

TEST_F(CpuRegisterBlockTest, AcknowledgementOfNoEventIsNothing) {
  guest_.Select(2);
  guest_.WriteFlags(kFlagInsertEvent | kFlagRemoveEvent);
  EXPECT_EQ(registers_.flags(2), CpuFlags{});
  EXPECT_THAT(TakeKinds(), IsEmpty());
}

TEST_F(CpuRegisterBlockTest, EjectClearsPresentBeforeTheWriteReturns) {
  AskForCpu1();
  guest_.Eject(1);
  EXPECT_FALSE(guest_.IsPresent(1));
  EXPECT_EQ(registers_.flags(1), CpuFlags{});
  EXPECT_THAT(TakeKinds(), ElementsAre(IntentKind::kEjected));
}

TEST_F(CpuRegisterBlockTest, EjectWithoutAcknowledgementIsObeyedAndTakesTheEventAlong) {
  registers_.RaiseRemove(1);
  guest_.Eject(1);
  EXPECT_EQ(registers_.flags(1), CpuFlags{});
  EXPECT_FALSE(line_.high());
  EXPECT_THAT(TakeKinds(), ElementsAre(IntentKind::kEjected));
}

TEST_F(CpuRegisterBlockTest, SecondEjectIsNothing) {
  AskForCpu1();
  guest_.Eject(1);
  intents_->Take();
  guest_.Eject(1);
  EXPECT_THAT(TakeKinds(), IsEmpty());
}

TEST_F(CpuRegisterBlockTest, EjectUnaskedIsNothingForEveryCpu) {
  for (CpuId cpu = 0; cpu < 4; ++cpu) {
    guest_.Eject(cpu);
  }
  EXPECT_THAT(TakeKinds(), IsEmpty());
  EXPECT_TRUE(guest_.IsPresent(0));
  EXPECT_TRUE(guest_.IsPresent(1));
}

TEST_F(CpuRegisterBlockTest, EjectAfterTheAuthorisationWasRevokedIsNothing) {
  AskForCpu1();
  EXPECT_TRUE(registers_.RevokeEject(1));
  guest_.Eject(1);
  EXPECT_TRUE(guest_.IsPresent(1));
  EXPECT_THAT(TakeKinds(), IsEmpty());
}

TEST_F(CpuRegisterBlockTest, RevokingAfterTheEjectionComesTooLate) {
  AskForCpu1();
  guest_.Eject(1);
  EXPECT_FALSE(registers_.RevokeEject(1));
}

TEST_F(CpuRegisterBlockTest, AllFlagsInOneWriteAreTheEventsFirstAndTheEjectionLast) {
  registers_.RaiseRemove(1);
  guest_.Select(1);
  guest_.WriteFlags(0xff);
  EXPECT_THAT(TakeKinds(), ElementsAre(IntentKind::kRemoveAcknowledged, IntentKind::kEjected));
}

TEST_F(CpuRegisterBlockTest, OstIsReportedAsThePairOfItsWrites) {
  guest_.Ost(2, 3, 0x84);
  guest_.Ost(1, 0x103, 0x82);
  const auto intents = intents_->Take();
  ASSERT_EQ(intents.size(), 2U);
  EXPECT_EQ(intents[0].kind, IntentKind::kOst);
  EXPECT_EQ(intents[0].cpu, 2U);
  EXPECT_EQ(intents[0].ost_event, 3U);
  EXPECT_EQ(intents[0].ost_status, 0x84U);
  EXPECT_EQ(intents[1].cpu, 1U);
  EXPECT_EQ(intents[1].ost_event, 0x103U);
  EXPECT_EQ(intents[1].ost_status, 0x82U);
}

TEST_F(CpuRegisterBlockTest, OstEventsOfTwoCpusDoNotMix) {
  guest_.Select(1);
  guest_.Command(kCommandOstEvent);
  guest_.Write32(kCommandDataOffset, 3);
  guest_.Ost(2, 1, 0);
  guest_.Select(1);
  guest_.Command(kCommandOstStatus);
  guest_.Write32(kCommandDataOffset, 0x82);
  const auto intents = intents_->Take();
  ASSERT_EQ(intents.size(), 2U);
  EXPECT_EQ(intents[0].ost_event, 1U);
  EXPECT_EQ(intents[1].ost_event, 3U);
}

TEST_F(CpuRegisterBlockTest, DataWrittenAfterAnotherCommandIsNoReport) {
  for (const std::uint8_t command : {kCommandNextWithEvent, kCommandOstEvent, kCommandApicId}) {
    guest_.Command(command);
    guest_.Write32(kCommandDataOffset, 1);
  }
  EXPECT_THAT(TakeKinds(), IsEmpty());
}

TEST_F(CpuRegisterBlockTest, OstFloodIsBoundedAndAcknowledgementsStillGetThrough) {
  for (std::size_t i = 0; i < 10 * kMostWaitingOst; ++i) {
    guest_.Ost(1, 3, 0x84);
  }
  registers_.RaiseInsert(2);
  guest_.Scan();
  const auto intents = intents_->Take();
  ASSERT_EQ(intents.size(), kMostWaitingOst + 1);
  EXPECT_EQ(intents.back().kind, IntentKind::kInsertAcknowledged);
}

TEST_F(CpuRegisterBlockTest, ScanFindsEveryEventOnce) {
  registers_.RaiseInsert(2);
  registers_.RaiseRemove(1);
  registers_.RaiseInsert(3);
  using N = ScriptedGuest::Notification;
  EXPECT_THAT(guest_.Scan(), ElementsAre(N{1, 3}, N{2, 1}, N{3, 1}));
  EXPECT_THAT(guest_.Scan(), IsEmpty());
}

}  // namespace
}  // namespace tidevm::hotplug
