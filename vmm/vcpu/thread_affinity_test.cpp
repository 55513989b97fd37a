#include "vmm/vcpu/thread_affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace tidevm::vcpu {
namespace {

pid_t ThisThread() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

TEST(ThreadAffinity, IsWhatItWasSetTo) {
  const CpuSet ours = GetThreadAffinity(ThisThread()).value();
  ASSERT_FALSE(ours.empty());
  std::thread([&] {
    const CpuSet last{*std::prev(ours.end())};
    EXPECT_TRUE(SetThreadAffinity(ThisThread(), last));
    EXPECT_EQ(GetThreadAffinity(ThisThread()), last);
  }).join();
  EXPECT_EQ(GetThreadAffinity(ThisThread()), ours) << "another thread's";
}

TEST(ThreadAffinity, CpusThatThereAreNotAreAnError) {
  for (const CpuSet& none : {CpuSet{}, CpuSet{8191}, CpuSet{100'000}}) {
    const auto set = SetThreadAffinity(ThisThread(), none);
    ASSERT_FALSE(set) << none.ToString();
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(set.error().message, testing::HasSubstr("may use"));
  }
}

TEST(ThreadAffinity, OfAThreadThatIsGoneIsNone) {
  pid_t gone = 0;
  std::thread([&] { gone = ThisThread(); }).join();
  EXPECT_EQ(GetThreadAffinity(gone), std::nullopt);
}

}  // namespace
}  // namespace tidevm::vcpu
