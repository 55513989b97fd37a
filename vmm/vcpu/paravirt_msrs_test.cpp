#include "vmm/vcpu/paravirt_msrs.h"

#include <gtest/gtest.h>

namespace tidevm::vcpu {
namespace {

constexpr std::uint64_t kArmed = 0x1000 | 1;

TEST(ParavirtMsrs, HasTheThreeAndNoOther) {
  for (const std::uint32_t msr : {kMsrAsyncPageFault, kMsrStealTime, kMsrPvEoi}) {
    EXPECT_TRUE(ParavirtMsrs::Has(msr));
  }
  for (const std::uint32_t msr : {0x4b564d01U, 0x4b564d05U, 0U, 0xffffffffU}) {
    EXPECT_FALSE(ParavirtMsrs::Has(msr));
  }
}

TEST(ParavirtMsrs, TheFirstToBeArmedSaysOnlineTheOthersNothingNew) {
  ParavirtMsrs msrs;
  EXPECT_EQ(msrs.Note(kMsrAsyncPageFault, kArmed), true);
  EXPECT_EQ(msrs.Note(kMsrPvEoi, kArmed), std::nullopt);
  EXPECT_EQ(msrs.Note(kMsrStealTime, kArmed), std::nullopt);
}

TEST(ParavirtMsrs, TheFirstToBeDisarmedSaysGoingDown) {
  ParavirtMsrs msrs;
  msrs.Note(kMsrAsyncPageFault, kArmed);
  msrs.Note(kMsrStealTime, kArmed);
  EXPECT_EQ(msrs.Note(kMsrStealTime, 0), false);
  EXPECT_EQ(msrs.Note(kMsrAsyncPageFault, 0), std::nullopt);
  EXPECT_EQ(msrs.Note(kMsrPvEoi, 0), std::nullopt);
}

TEST(ParavirtMsrs, DisarmingWhatWasNotArmedSaysNothing) {
  ParavirtMsrs msrs;
  EXPECT_EQ(msrs.Note(kMsrStealTime, 0), std::nullopt);
  msrs.Note(kMsrAsyncPageFault, kArmed);
  EXPECT_EQ(msrs.Note(kMsrStealTime, 0), std::nullopt);
}

TEST(ParavirtMsrs, AnAddressWithoutTheEnableBitIsNotArmed) {
  ParavirtMsrs msrs;
  EXPECT_EQ(msrs.Note(kMsrStealTime, 0x1000), std::nullopt);
}

TEST(ParavirtMsrs, UpAgainAfterAFailedTakeDown) {
  ParavirtMsrs msrs;
  msrs.Note(kMsrStealTime, kArmed);
  msrs.Note(kMsrStealTime, 0);
  EXPECT_EQ(msrs.Note(kMsrStealTime, kArmed), true);
}

}  // namespace
}  // namespace tidevm::vcpu
