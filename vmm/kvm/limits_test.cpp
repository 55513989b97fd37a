#include "vmm/kvm/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::kvm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr CpuLimits kHost{.recommended = 4, .max = 1024, .max_id = 4096};

TEST(CpuLimits, WithinTheRecommendedNumberIsSilent) {
  const auto checked = CheckCpuLimits(4, 3, kHost);
  ASSERT_TRUE(checked.has_value());
  EXPECT_FALSE(checked->has_value());
}

TEST(CpuLimits, AboveTheRecommendedNumberWarnsWithBothNumbers) {
  const auto checked = CheckCpuLimits(8, 7, kHost);
  ASSERT_TRUE(checked.has_value());
  ASSERT_TRUE(checked->has_value());
  EXPECT_THAT(**checked,
              AllOf(HasSubstr("max=8"), HasSubstr("the 4 vCPUs"), HasSubstr("KVM_CAP_NR_VCPUS")));
}

TEST(CpuLimits, AboveTheHardNumberIsRefused) {
  const auto checked = CheckCpuLimits(1025, 1024, kHost);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(checked.error().message,
              AllOf(HasSubstr("max=1025"), HasSubstr("1024 vCPUs"),
                    HasSubstr("use max=255 or less"), HasSubstr("KVM_CAP_MAX_VCPUS")));
}

TEST(CpuLimits, AnApicIdAtTheIdLimitIsRefused) {
  constexpr CpuLimits kFewIds{.recommended = 4, .max = 64, .max_id = 64};
  EXPECT_TRUE(CheckCpuLimits(48, 63, kFewIds).has_value());
  const auto checked = CheckCpuLimits(48, 64, kFewIds);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, AllOf(HasSubstr("ids up to 64"), HasSubstr("below 64"),
                                             HasSubstr("KVM_CAP_MAX_VCPU_ID")));
}

TEST(CpuLimits, ApicIdsThatTheIoApicCannotNameAreRefused) {
  EXPECT_TRUE(CheckCpuLimits(255, 254, kHost).has_value());
  const auto checked = CheckCpuLimits(256, 255, kHost);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, AllOf(HasSubstr("max=256"), HasSubstr("up to 254")));
}

}  // namespace
}  // namespace tidevm::kvm
