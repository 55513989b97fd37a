#include "vmm/devices/panic_watcher.h"

#include <gtest/gtest.h>

#include <string>

#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

using State = PanicWatcher::State;

constexpr std::string_view kRealPanic =
    "[    1.604112] Kernel panic - not syncing: VFS: Unable to mount root fs on "
    "unknown-block(0,0)\r\n"
    "[    1.605001] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0-18-cloud-amd64 #1\r\n"
    "[    1.605813] Call Trace:\r\n"
    "[    1.611002] Kernel Offset: disabled\r\n"
    "[    1.611312] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on "
    "unknown-block(0,0) ]---\r\n";
constexpr std::string_view kRealReason = "VFS: Unable to mount root fs on unknown-block(0,0)";

TEST(PanicWatcherTest, RecognisesAPanicOfLinux) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes("[    0.000000] Linux version 6.1.0\r\n"));
  EXPECT_EQ(watcher.state(), State::kNone);
  EXPECT_EQ(watcher.reason(), std::nullopt);

  watcher.Feed(AsBytes(kRealPanic));

  EXPECT_TRUE(watcher.Ended());
  EXPECT_EQ(watcher.reason(), kRealReason);
}

TEST(PanicWatcherTest, SplitAnywhereIsTheSame) {
  for (std::size_t cut = 0; cut <= kRealPanic.size(); ++cut) {
    PanicWatcher watcher;
    watcher.Feed(AsBytes(kRealPanic.substr(0, cut)));
    watcher.Feed(AsBytes(kRealPanic.substr(cut)));
    ASSERT_TRUE(watcher.Ended()) << cut;
    ASSERT_EQ(watcher.reason(), kRealReason) << cut;
  }
}

TEST(PanicWatcherTest, EveryPrefixThatLinuxPrints) {
  for (const std::string prefix : {"", "[    1.5] ", "<0>", "<0>[12345.678901] ",
                                   "[    1.604112][    T1] ", "[    1.604112][   C12] ", "\r"}) {
    PanicWatcher watcher;
    watcher.Feed(AsBytes(prefix + "Kernel panic - not syncing: sysrq triggered crash\n"));
    EXPECT_EQ(watcher.state(), State::kPanicSeen) << prefix;
    EXPECT_EQ(watcher.reason(), "sysrq triggered crash") << prefix;
    watcher.Feed(AsBytes(prefix + "---[ end Kernel panic - not syncing: x ]---\n"));
    EXPECT_TRUE(watcher.Ended()) << prefix;
    EXPECT_EQ(watcher.reason(), "sysrq triggered crash") << prefix;
  }
}

TEST(PanicWatcherTest, AnyFurtherByteMeansThatItWasALog) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes("~ # cat /var/log/kern.log.1\r\n"));
  watcher.Feed(AsBytes(kRealPanic));
  ASSERT_TRUE(watcher.Ended());

  watcher.Feed(AsBytes("~"));

  EXPECT_EQ(watcher.state(), State::kNone);
  EXPECT_EQ(watcher.reason(), std::nullopt);
  watcher.Feed(AsBytes(" # \r\n"));
  EXPECT_EQ(watcher.state(), State::kNone);
  watcher.Feed(AsBytes(kRealPanic));
  EXPECT_TRUE(watcher.Ended());
}

TEST(PanicWatcherTest, LogAndPromptInOneFeedIsNoPanic) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes(std::string(kRealPanic) + "~ # "));
  EXPECT_FALSE(watcher.Ended());
}

TEST(PanicWatcherTest, MarkersInMidLineAreNone) {
  for (const std::string_view line : {
           "grep 'Kernel panic - not syncing: ' log\n",
           "kern.log:[    1.5] Kernel panic - not syncing: x\n",
           "kern.log:[    1.5] ---[ end Kernel panic - not syncing: x ]---\n",
           "> ---[ end Kernel panic - not syncing: x ]---\n",
           "[abc] Kernel panic - not syncing: x\n",
           "[] Kernel panic - not syncing: x\n",
           "[    1.5 Kernel panic - not syncing: x\n",
           "<x>Kernel panic - not syncing: x\n",
           "kernel panic - not syncing: x\n",
           "---[ end trace 0000000000000000 ]---\n",
       }) {
    PanicWatcher watcher;
    watcher.Feed(AsBytes(line));
    EXPECT_EQ(watcher.state(), State::kNone) << line;
  }
}

TEST(PanicWatcherTest, UnfinishedEndLineIsNotTheEnd) {
  PanicWatcher watcher;
  watcher.Feed(
      AsBytes("Kernel panic - not syncing: x\n---[ end Kernel panic - not syncing: x ]---"));
  EXPECT_EQ(watcher.state(), State::kPanicSeen);
}

TEST(PanicWatcherTest, EndLineAloneTellsTheReason) {
  PanicWatcher watcher;
  watcher.Feed(
      AsBytes("login: [    9.1] Kernel panic - not syncing: lost behind a prompt\r\n"
              "[    9.2] ---[ end Kernel panic - not syncing: lost behind a prompt ]---\r\n"));
  EXPECT_TRUE(watcher.Ended());
  EXPECT_EQ(watcher.reason(), "lost behind a prompt");
}

TEST(PanicWatcherTest, EndlessLinesAreCut) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes("Kernel panic - not syncing: " + std::string(1U << 20, 'x') + "\n"));
  EXPECT_EQ(watcher.state(), State::kPanicSeen);
  EXPECT_LE(watcher.reason().value_or("").size(), 512U);
}

TEST(PanicWatcherTest, AnOldPanicFollowedByAnUnstampedLineIsNone) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes("[    9.1] Kernel panic - not syncing: old\n[    9.2] Call Trace:\n"));
  EXPECT_EQ(watcher.state(), State::kPanicSeen);
  watcher.Feed(AsBytes("user@guest:~$ reboot\n[   99.9] reboot: Restarting system\n"));
  EXPECT_EQ(watcher.state(), State::kNone);
}

TEST(PanicWatcherTest, ResetForgets) {
  PanicWatcher watcher;
  watcher.Feed(AsBytes("Kernel panic - not syncing: x\n---[ end Kernel pan"));
  watcher.Reset();
  watcher.Feed(AsBytes("ic - not syncing: x ]---\n"));
  EXPECT_EQ(watcher.state(), State::kNone);
}

}  // namespace
}  // namespace tidevm::devices
