// What is read of debugfs and tracefs.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/benchmark/first_entry.h"
#include "tools/benchmark/kvm_counters.h"

namespace tidevm::benchmark {
namespace {

namespace fs = std::filesystem;

class KvmCountersTest : public ::testing::Test {
 public:
  ~KvmCountersTest() override { fs::remove_all(root_); }

 protected:
  KvmCountersTest() {
    std::string name = fs::temp_directory_path() / "kvm-counters-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  void File(const std::string& path, std::string_view text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  fs::path root_;
};

TEST_F(KvmCountersTest, AreThoseOfTheProcesssOwnVm) {
  File("exits", "99\n");
  File("123-7/exits", "5\n");
  File("123-7/io_exits", "3\n");
  File("123-7/halt_wait_hist", "1 2 3\n");
  File("123-7/vcpu0/tsc-offset", "17\n");
  File("12-8/exits", "6\n");
  EXPECT_EQ(ReadKvmCounters(123, root_), (KvmCounters{{"exits", 5}, {"io_exits", 3}}));
  EXPECT_EQ(ReadKvmCounters(23, root_), std::nullopt);
  EXPECT_EQ(ReadKvmCounters(123, root_ / "none"), std::nullopt);
}

TEST(KvmCountersDifference, LeavesOutWhatStayed) {
  EXPECT_EQ(
      Difference({{"exits", 5}, {"io_exits", 3}}, {{"exits", 9}, {"io_exits", 3}, {"new", 2}}),
      (KvmCounters{{"exits", 4}, {"new", 2}}));
}

TEST(FirstEntry, IsTheFirstOfTheTrace) {
  const auto entry = ParseFirstEntry(
      "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
      "       CPU 0/KVM-1234    [000] d....   123.456789: kvm_entry: vcpu 0, rip 0xfff0\n"
      "       CPU 0/KVM-1234    [000] d....   124.000000: kvm_entry: vcpu 0, rip 0xfff1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->thread, 1234);
  EXPECT_EQ(entry->when.time_since_epoch(), std::chrono::microseconds(123'456'789));
}

TEST(FirstEntry, ANameMayHaveDashes) {
  const auto entry = ParseFirstEntry(
      "          vcpu-0-77      [001] d..1.     3.000001: kvm_entry: vcpu 0, rip 0x1000000");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->thread, 77);
}

TEST(FirstEntry, ATraceWithoutOneHasNone) {
  EXPECT_FALSE(ParseFirstEntry(""));
  EXPECT_FALSE(ParseFirstEntry("# kvm_entry: in a comment\n"));
  EXPECT_FALSE(ParseFirstEntry("  x-1 [000] d.... 1.000000: kvm_exit: reason"));
  EXPECT_FALSE(ParseFirstEntry("  x-1 [000] d.... 1.0: kvm_entry: vcpu 0"));
}

}  // namespace
}  // namespace tidevm::benchmark
