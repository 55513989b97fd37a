// The commands, against a server.
#include "tools/tidectl/tidectl_test_util.h"

namespace tidevm::tidectl {
namespace {

using control::OperationStatus;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

TEST_F(TidectlTest, VcpusAndStatus) {
  EXPECT_EQ(Run({"vcpus"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("  1  yes     running    1001"));
  EXPECT_EQ(Run({"vcpus", "--json"}), kExitHappened);
  EXPECT_EQ(Json::parse(out_).size(), 4U);
  EXPECT_EQ(Run({"status"}), kExitHappened);
  EXPECT_EQ(out_, "name     guest\nstatus   running\nvCPUs    2 of 4: 0-1\n");
}

TEST_F(TidectlTest, SetVcpusSaysWhatItStarted) {
  EXPECT_EQ(Run({"set-vcpus", "4"}), kExitHappened);
  EXPECT_EQ(out_,
            "vCPUs 0-3 wanted; started:\n  add vCPU 2 (operation 1)\n  add vCPU 3 (operation 2)\n");
  EXPECT_EQ(Run({"set-vcpus", "0-3"}), kExitHappened);
  EXPECT_EQ(out_, "vCPUs 0-3 are wanted already; nothing started\n");
}

TEST_F(TidectlTest, WhatFailsAtOnceIsToldWithoutWaiting) {
  machine_.failure = "no memory";
  EXPECT_EQ(Run({"set-vcpus", "3"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: add vCPU 2 (operation 1): no memory\n");
  EXPECT_EQ(Run({"plug", "3"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: no memory\n");
}

TEST_F(TidectlTest, PlugAndUnplugByNumber) {
  EXPECT_EQ(Run({"plug", "3", "--wait", "registered"}), kExitHappened);
  EXPECT_EQ(Run({"unplug", "3", "--wait=removed"}), kExitHappened);
  EXPECT_EQ(Run({"unplug", "2"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: vCPU 2 is not plugged\n");
  EXPECT_EQ(Run({"plug", "9"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: there is no vCPU 9; the highest is 3\n");
  EXPECT_EQ(Run({"plug", "x"}), kExitUsage);
}

TEST_F(TidectlTest, ServersErrorIsOneLine) {
  EXPECT_EQ(Run({"set-vcpus", "9"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: 9 vCPUs asked for; 1 to 4 are possible\n");
}

TEST_F(TidectlTest, QmpPassesOnWhatItIsGiven) {
  EXPECT_EQ(Run({"qmp", "query-kvm"}), kExitHappened);
  EXPECT_EQ(out_, "{\n  \"enabled\": true,\n  \"present\": true\n}\n");
  EXPECT_EQ(Run({"qmp", R"({"execute": "query-name", "id": 3})", "--json"}), kExitHappened);
  EXPECT_EQ(Json::parse(out_), Json::parse(R"({"id": 3, "return": {"name": "guest"}})"));
  EXPECT_EQ(Run({"qmp", "device_del", R"({"id": "x"})"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: Device 'x' not found (DeviceNotFound)\n");
  EXPECT_EQ(Run({"qmp", "{nonsense"}), kExitUsage);
}

TEST_F(TidectlTest, PlainCommandsAndTimeouts) {
  EXPECT_EQ(Run({"powerdown"}), kExitHappened);
  EXPECT_EQ(Run({"reset"}), kExitHappened);
  EXPECT_EQ(Run({"cont"}), kExitHappened);
  EXPECT_EQ(Run({"stop", "--timeout", "50ms"}), kExitTimeout);  // the fake never pauses
  EXPECT_EQ(Run({"events", "--timeout", "500ms"}), kExitHappened);
}

TEST_F(TidectlTest, QuitEndsAndThenNobodyListens) {
  EXPECT_EQ(Run({"quit"}), kExitHappened);
  StopServer();
  EXPECT_EQ(Run({"status"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: no VM listens on " + socket_ +
                      " (No such file or directory); start tidevm with --control " + socket_ +
                      ", or name its socket with -s or TIDEVM_CONTROL\n");
}

TEST_F(TidectlTest, VmThatEndsWhileWaitedForIsAFailure) {
  machine_.on_begin = [this](const OperationStatus& /*operation*/) {
    loop_.After(milliseconds(20), [this] {
      server_->Publish(control::event::Shutdown{.guest = true,
                                                .reason = control::ShutdownCause::kGuestShutdown});
      server_.reset();
    });
  };
  EXPECT_EQ(Run({"plug", "2", "--wait"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: the VM ended (guest-shutdown)\n");
  EXPECT_THAT(out_, Not(HasSubstr("done")));
}

TEST_F(TidectlTest, DeadlineGoesToTheVm) {
  EXPECT_EQ(Run({"set-vcpus", "3", "--wait", "--deadline", "5s"}), kExitHappened);
  EXPECT_EQ(Run({"unplug", "2", "--wait", "--deadline=1500ms"}), kExitHappened);
  EXPECT_EQ(Run({"plug", "3", "--deadline", "2m"}), kExitHappened);
  EXPECT_EQ(Run({"unplug", "1", "--deadline", "25h"}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("90000000"));
  OnLoop([this] {
    EXPECT_THAT(machine_.calls,
                testing::ElementsAre("set 0-2 within 5000 ms", "remove 2 within 1500 ms",
                                     "add 3 \"\" within 120000 ms"));
  });
}

TEST_F(TidectlTest, CancelEndsWhatIsPending) {
  scripts_[2] = {{"notified"}};
  EXPECT_EQ(Run({"plug", "2"}), kExitHappened);
  EXPECT_EQ(Run({"cancel", "1"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("cancelled: add vCPU 2 (operation 1), at \""));
  EXPECT_EQ(Run({"cancel", "1"}), kExitFailed);
  EXPECT_EQ(err_, "tidectl: no pending operation has the id 1\n");
  EXPECT_EQ(Run({"cancel", "x"}), kExitUsage);
}

TEST_F(TidectlTest, OperationsAreATable) {
  EXPECT_EQ(Run({"plug", "2", "--wait", "--deadline", "2s"}), kExitHappened);
  EXPECT_EQ(Run({"operations"}), kExitHappened);
  EXPECT_EQ(out_,
            "ID  KIND  CPU  OUTCOME  PHASE     TIME  DEADLINE  REASON\n"
            " 1  add     2  done     online  7.0 ms   2.000 s  -\n");
  EXPECT_EQ(Run({"operations", "--json"}), kExitHappened);
  EXPECT_EQ(LastJson()[0]["deadline-ms"], 2000);
}

TEST_F(TidectlTest, AffinityGoesToTheVm) {
  EXPECT_EQ(Run({"affinity", "1", "0-1,3"}), kExitHappened);
  EXPECT_EQ(out_, "vCPU 1 runs on host CPUs 0-1,3\n");
  EXPECT_EQ(Run({"affinity", "one", "0"}), kExitUsage);
  EXPECT_EQ(Run({"affinity", "1"}), kExitUsage);
  OnLoop([this] { EXPECT_EQ(machine_.calls.back(), "affinity 1 0-1,3"); });
}

TEST_F(TidectlTest, MetricsAreThoseOfTheVm) {
  machine_.counters.operations = {{OperationKind::kAdd, Outcome::kDone, 3}};
  machine_.counters.phases = {{OperationKind::kAdd,
                               "online",
                               {{milliseconds(1), milliseconds(10)}, {1, 0, 2}, milliseconds(9)}}};
  EXPECT_EQ(Run({"metrics"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("tidevm_operations_total{kind=\"add\",outcome=\"done\"} 3\n"));
  EXPECT_THAT(out_, HasSubstr("_bucket{kind=\"add\",phase=\"online\",le=\"0.01\"} 1\n"));
  EXPECT_THAT(out_, HasSubstr("_count{kind=\"add\",phase=\"online\"} 3\n"));
  EXPECT_EQ(Run({"metrics", "--json"}), kExitHappened);
  EXPECT_EQ(LastJson()["operations"][0]["count"], 3);
}

}  // namespace
}  // namespace tidevm::tidectl
