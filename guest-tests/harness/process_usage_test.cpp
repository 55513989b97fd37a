#include "guest-tests/harness/process_usage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tidevm::guest_tests {
namespace {

using ::testing::HasSubstr;

std::string Mapping(std::string_view name, int size_kb, int rss_kb, int pss_kb, int dirty_kb) {
  return fmt::format(
      "7f0000000000-7f0000100000 rw-p 00000000 00:00 0    {}\n"
      "Size:      {} kB\nKernelPageSize:        4 kB\nRss:     {} kB\nPss:   {} kB\n"
      "Pss_Dirty:   1 kB\nPrivate_Clean:   9 kB\nPrivate_Dirty:   {} kB\nSwapPss:    0 kB\n"
      "VmFlags: rd wr mr mw me ac nr dd sd\n",
      name, size_kb, rss_kb, pss_kb, dirty_kb);
}

TEST(Smaps, EverythingButTheGuestsMemoryIsTheVmms) {
  const auto use =
      ParseSmaps(Mapping("/usr/bin/x", 100, 50, 25, 4) + Mapping("", 512, 300, 300, 300) +
                     Mapping("[heap]", 80, 70, 70, 70),
                 512UL * 1024);
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_EQ(use->resident, 120U * 1024);
  EXPECT_EQ(use->proportional, 95U * 1024);
  EXPECT_EQ(use->private_dirty, 74U * 1024);
  EXPECT_EQ(use->guest_resident, 300U * 1024);
}

TEST(Smaps, GuestMemoryThatIsNotFoundForCertainIsAnError) {
  const auto none = ParseSmaps(Mapping("", 511, 1, 1, 1), 512UL * 1024);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("0 mappings have the 524288 bytes"));
  const auto two = ParseSmaps(Mapping("", 512, 1, 1, 1) + Mapping("", 512, 1, 1, 1), 512UL * 1024);
  ASSERT_FALSE(two);
  EXPECT_THAT(two.error().message, HasSubstr("2 mappings"));
}

TEST(Threads, AreToldByTheirNames) {
  EXPECT_TRUE(IsVcpuThread("vcpu-12"));
  EXPECT_TRUE(IsVcpuThread("CPU 3/KVM"));
  for (const std::string_view name : {"tidevm", "qemu-system-x86", "call_rcu", "CPU", "kvm", ""}) {
    EXPECT_FALSE(IsVcpuThread(name)) << name;
  }
}

TEST(Schedstat, ItsFirstNumberIsTheTimeOnACpu) {
  EXPECT_EQ(ParseSchedstat("123456789 42 7"), std::chrono::nanoseconds(123'456'789));
  EXPECT_EQ(ParseSchedstat(""), std::nullopt);
  EXPECT_EQ(ParseSchedstat("x"), std::nullopt);
}

TEST(Switches, OfBothKindsAreAdded) {
  EXPECT_EQ(ParseSwitches("Name:\tvcpu-0\nThreads:\t3\nvoluntary_ctxt_switches:\t15\n"
                          "nonvoluntary_ctxt_switches:\t4"),
            19U);
  EXPECT_EQ(ParseSwitches("Name:\tvcpu-0\nvoluntary_ctxt_switches:\t15\n"), std::nullopt);
}

TEST(OwnProcess, CanBeLookedAt) {
  const auto before = ReadCpuTime(::getpid());
  ASSERT_TRUE(before) << before.error().message;
  const auto switches = ReadContextSwitches(::getpid());
  ASSERT_TRUE(switches);
  EXPECT_EQ(switches->vcpus, 0U);
  const auto after = ReadCpuTime(::getpid());
  ASSERT_TRUE(after);
  EXPECT_GT(before->total.count(), 0);
  EXPECT_GE(after->total, before->total);
}

}  // namespace
}  // namespace tidevm::guest_tests
