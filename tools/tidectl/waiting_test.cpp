// --wait against a server: when it ends, with which exit code, and in which words.
#include "tools/tidectl/tidectl_test_util.h"

namespace tidevm::tidectl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const Script kSilent = {{"notified"}};
const Script kOnlineNotTold = {{"notified"}, {"registered", Outcome::kDone}};
const Script kNeverOnline = {
    {"notified"},
    {"registered"},
    {"registered", Outcome::kTimedOut, "registered, not online: nothing in the guest has put it"}};
const Script kRefused = {{"notified"},
                         {"notified", Outcome::kRefused, "the guest says it is busy"}};

TEST_F(TidectlTest, WaitShowsEachPhaseOnceAndEndsWithTheOperations) {
  EXPECT_EQ(Run({"set-vcpus", "0,2,3", "--wait"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("vCPU 3    add     online  done\n"));
  EXPECT_THAT(out_, HasSubstr("vCPU 1    remove  parked  done\n"));
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 4 + 4 + 3);
}

TEST_F(TidectlTest, WaitWithJsonEndsInAResult) {
  EXPECT_EQ(Run({"set-vcpus", "3", "--wait", "--json"}), kExitHappened);
  EXPECT_EQ(LastJson()["result"], "done");
  EXPECT_EQ(LastJson()["operations"][0]["phase"], "online");
}

TEST_F(TidectlTest, RefusalFailsWithItsReason) {
  scripts_[1] = kRefused;
  EXPECT_EQ(Run({"unplug", "1", "--wait"}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("remove  notified  refused: the guest says it is busy\n"));
}

TEST_F(TidectlTest, CancelledByAnotherIsAFailure) {
  scripts_[2] = {{"notified"}, {"notified", Outcome::kCancelled, "cancelled by its client"}};
  EXPECT_EQ(Run({"plug", "2", "--wait"}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("cancelled: cancelled by its client"));
}

TEST_F(TidectlTest, PatienceThatEndsFirstSaysThatTheRequestGoesOn) {
  scripts_[2] = kSilent;
  EXPECT_EQ(Run({"plug", "2", "--wait", "--timeout", "1s"}), kExitTimeout);
  EXPECT_EQ(err_,
            "tidectl: timed out: vCPU 2 add is still at \"notified\"; the request goes on in the "
            "VM ('tidectl cancel 1' ends it)\n");
}

TEST_F(TidectlTest, DeadlineOfTheVmIsATimeoutToo) {
  scripts_[2] = {{"notified"}, {"notified", Outcome::kTimedOut, "the guest never answered"}};
  EXPECT_EQ(Run({"plug", "2", "--wait", "--json"}), kExitTimeout);
  EXPECT_EQ(LastJson()["result"], "timeout");
  EXPECT_EQ(LastJson()["operations"][0]["reason"], "the guest never answered");
  EXPECT_EQ(err_, "");
}

TEST_F(TidectlTest, FailureOutranksATimeout) {
  scripts_[2] = {{"notified", Outcome::kTimedOut, "late"}};
  scripts_[3] = {{"created", Outcome::kFailed, "no memory"}};
  EXPECT_EQ(Run({"set-vcpus", "4", "--wait"}), kExitFailed);
}

TEST_F(TidectlTest, WaitCountsWhatSomebodyElseHasStarted) {
  scripts_[2] = kSilent;
  EXPECT_EQ(Run({"set-vcpus", "3"}), kExitHappened);
  EXPECT_EQ(Run({"set-vcpus", "3", "--wait", "--timeout", "100ms"}), kExitTimeout);
}

TEST_F(TidectlTest, OnlineHasHappenedWhenItIsProved) {
  EXPECT_EQ(Run({"plug", "2", "--wait", "online"}), kExitHappened);
  EXPECT_EQ(Run({"set-vcpus", "4", "--wait", "online"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("vCPU 3    add     online  done\n"));
  EXPECT_EQ(err_, "");
}

TEST_F(TidectlTest, OnlineOfAGuestThatDoesNotTellFails) {
  scripts_[2] = kOnlineNotTold;
  EXPECT_EQ(Run({"plug", "2", "--wait=online"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: vCPU 2: registered; whether it is online this guest does not tell\n");
}

TEST_F(TidectlTest, PlainWaitTakesWhatTheVmCallsDone) {
  scripts_[2] = kOnlineNotTold;
  EXPECT_EQ(Run({"plug", "2", "--wait"}), kExitHappened);
  EXPECT_EQ(err_, "");
}

TEST_F(TidectlTest, RegisteredAndNeverOnlineSaysWhatIsMissing) {
  scripts_[2] = kNeverOnline;
  EXPECT_EQ(Run({"plug", "2", "--wait", "online"}), kExitTimeout);
  EXPECT_EQ(err_,
            "tidectl: the guest has registered vCPU 2 but nothing in it puts it online; install "
            "tidevm's udev rule in the guest (share/doc/tidevm/guests.md says how) or run there: "
            "echo 1 > "
            "/sys/devices/system/cpu/cpuN/online\n");
}

TEST_F(TidectlTest, OneAdviceForAllThatAreNeverOnline) {
  scripts_[2] = scripts_[3] = kNeverOnline;
  EXPECT_EQ(Run({"set-vcpus", "4", "--wait"}), kExitTimeout);
  EXPECT_THAT(err_, AllOf(HasSubstr("registered vCPUs 2-3 but nothing in it puts them online"),
                          HasSubstr("share/doc/tidevm/guests.md")));
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1);
}

TEST_F(TidectlTest, RegisteredIsEnoughWhereItIsAskedFor) {
  scripts_[2] = kNeverOnline;
  EXPECT_EQ(Run({"plug", "2", "--wait", "registered"}), kExitHappened);
  EXPECT_EQ(err_, "");
}

TEST_F(TidectlTest, RemovedDoesNotWaitForAdditions) {
  scripts_[2] = kSilent;
  EXPECT_EQ(Run({"set-vcpus", "0,2", "--wait", "removed"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("parked  done"));
}

TEST_F(TidectlTest, SetThatIsOnlineAlreadyNeedsNothing) {
  EXPECT_EQ(Run({"set-vcpus", "2", "--wait", "online"}), kExitHappened);
  EXPECT_EQ(out_, "vCPUs 0-1 are online already; nothing to do\n");
  EXPECT_EQ(Run({"set-vcpus", "2", "--wait"}), kExitHappened);
  EXPECT_EQ(out_, "vCPUs 0-1 already; nothing to do\n");
}

TEST_F(TidectlTest, SetThatIsWantedButNotOnlineIsWaitedFor) {
  machine_.cpus[1].online = false;
  loop_.After(std::chrono::milliseconds(50), [this] {
    machine_.cpus[1].online = true;
    server_->Publish(control::event::VcpuState{.cpu = 1, .state = "running", .online = true});
  });
  EXPECT_EQ(Run({"set-vcpus", "2", "--wait", "online"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("vCPUs 0-1 are online already"));
}

TEST_F(TidectlTest, SetThatStaysOfflineTimesOut) {
  machine_.cpus[1].online = false;
  EXPECT_EQ(Run({"set-vcpus", "2", "--wait", "online", "--timeout", "500ms", "--json"}),
            kExitTimeout);
  EXPECT_THAT(err_, HasSubstr("timed out: the guest has registered vCPU 1 but nothing"));
  EXPECT_EQ(LastJson()["result"], "timeout");
}

TEST_F(TidectlTest, SetOfAGuestThatDoesNotTellFailsAtOnce) {
  machine_.cpus[0].online = machine_.cpus[1].online = std::nullopt;
  EXPECT_EQ(Run({"set-vcpus", "2", "--wait", "online"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: vCPU 0-1: whether it is online this guest does not tell\n");
}

TEST_F(TidectlTest, OnATerminalEachOperationIsOneLineDrawnInPlace) {
  scripts_[3] = kRefused;
  EXPECT_EQ(Run({"set-vcpus", "4", "--wait"}, {.color = false, .unicode = true},
                [] { return ScreenSize{.rows = 24, .columns = 100}; }),
            kExitFailed);
  const std::string last = out_.substr(out_.rfind('\r'));
  EXPECT_EQ(last,
            "\r\x1b[2A"
            "vCPU 2   add     requested · notified · registered · online  done 0.01 s\x1b[K\n"
            "vCPU 3   add     requested · notified  refused 0.01 s: the guest says it is "
            "busy\x1b[K\n\x1b[J");
}

TEST_F(TidectlTest, JsonOnATerminalIsStillJson) {
  EXPECT_EQ(Run({"plug", "2", "--wait", "--json"}, {.color = true}, [] { return ScreenSize{}; }),
            kExitHappened);
  EXPECT_THAT(out_, Not(HasSubstr("\x1b")));
  EXPECT_EQ(LastJson()["result"], "done");
}

}  // namespace
}  // namespace tidevm::tidectl
