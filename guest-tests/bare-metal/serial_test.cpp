#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

/// Serial output that floods its reader, who is this test.
class SerialFlood : public BareMetalTest {
 protected:
  static constexpr std::uint32_t kLines = 64 * 1024;

  /// Nothing is read from the guest's console until it reports this.
  void StartAndLeaveUnread(std::uint32_t until) {
    TIDEVM_ASSERT_DONE(Start("serial", {.cpus = "boot=1,max=1"}));
    TIDEVM_ASSERT_OK(report, vm_->WaitForEvent("ACPI_DEVICE_OST"));
    ASSERT_EQ(report["data"]["info"]["source"], until);
  }

  /// The console's lines up to `last`; how many of those before it came, in order.
  void ReadLines(std::uint32_t last, std::uint32_t& lines) {
    const auto wanted = fmt::format("{:07x}", last);
    TIDEVM_ASSERT_DONE(vm_->WaitForConsole(wanted));
    lines = 0;
    for (const std::string& line : vm_->process().output()) {
      if (line != fmt::format("{:07x}", lines)) {
        return;
      }
      ++lines;
    }
  }
};

TEST_F(SerialFlood, ThatMindsTheTransmitterLosesNothing) {
  constexpr std::uint32_t kWaits = 0x100;
  ASSERT_NO_FATAL_FAILURE(StartAndLeaveUnread(kWaits));
  // The guest waits in a loop now. It costs the VMM no memory, and no answer.
  const std::uint64_t before = resident_kib();
  for (int i = 0; i < 200; ++i) {
    TIDEVM_ASSERT_DONE(Answers());
  }
  EXPECT_LT(resident_kib(), before + 512);
  std::uint32_t lines = 0;
  ASSERT_NO_FATAL_FAILURE(ReadLines(kLines - 1, lines));
  EXPECT_EQ(lines, kLines);
  TIDEVM_ASSERT_DONE(Passes());
}

TEST_F(SerialFlood, ThatMindsNothingLosesTheRestOnly) {
  constexpr std::uint32_t kWritten = 0x101;
  ASSERT_NO_FATAL_FAILURE(StartAndLeaveUnread(kWritten));
  TIDEVM_ASSERT_DONE(Answers());
  std::uint32_t lines = 0;
  ASSERT_NO_FATAL_FAILURE(ReadLines(kLines, lines));
  // What there was room for, in the pipe and in the VMM, and not all.
  EXPECT_GT(lines * 8, 256U * 1024);
  EXPECT_LT(lines, kLines);
  TIDEVM_ASSERT_DONE(Passes());
  EXPECT_EQ(LogLinesWith("serial output is being lost"), 1U);
}

// Nor when nobody reads what is left: that is given up soon.
TEST_F(SerialFlood, DoesNotKeepTheVmFromEnding) {
  constexpr std::uint32_t kWaits = 0x100;
  ASSERT_NO_FATAL_FAILURE(StartAndLeaveUnread(kWaits));
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, vm_->process().pid(), 0)));
  TIDEVM_ASSERT_DONE(vm_->Execute("quit"));
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  const auto patience = std::chrono::milliseconds(kPatience);
  ASSERT_EQ(::poll(&ended, 1, static_cast<int>(patience.count())), 1);
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
  EXPECT_EQ(LogLinesWith("serial output is left over"), 1U);
  vm_.reset();
}

}  // namespace
}  // namespace tidevm::guest_tests
