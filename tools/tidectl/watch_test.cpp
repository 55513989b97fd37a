// The watch command: the program itself on a terminal, and snapshots where there is none.
#include "tools/tidectl/pty_test_util.h"
#include "tools/tidectl/tidectl_test_util.h"

namespace tidevm::tidectl {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kEntered = "\x1b[?1049h";
const std::string kLeft = "\x1b[?1049l";

class WatchTest : public TidectlTest {
 protected:
  std::unique_ptr<PtyProcess> Watch(PtyProcess::Environment environment = {},
                                    ScreenSize screen = {}) {
    StartServer();
    environment.emplace_back("TERM=xterm");
    auto process = std::make_unique<PtyProcess>(
        std::vector<std::string>{TIDECTL_BIN, "-s", socket_, "watch"}, environment, screen);
    process->ReadUntil(kEntered);
    process->ReadUntil("CPU  WANTED");
    EXPECT_FALSE(process->EchoesAndWaitsForLines());
    return process;
  }
  static void ExpectRestored(PtyProcess& process) {
    process.ReadUntil(kLeft);
    EXPECT_TRUE(process.EchoesAndWaitsForLines());
  }
};

TEST_F(WatchTest, QEndsItAndGivesTheTerminalBack) {
  auto process = Watch();
  process->Type("q");
  const int status = process->Wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kExitHappened) << status;
  ExpectRestored(*process);
}

TEST_F(WatchTest, CtrlCEndsItTheSameWay) {
  auto process = Watch();
  process->Type("\x03");
  const int status = process->Wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kExitHappened) << status;
  ExpectRestored(*process);
}

TEST_F(WatchTest, OtherSignalsEndItAfterTheTerminalIsGivenBack) {
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT}) {
    auto process = Watch();
    process->Signal(signal);
    const int status = process->Wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    ExpectRestored(*process);
  }
}

TEST_F(WatchTest, EndOfTheVmIsSaidOnTheTerminalAsItWas) {
  auto process = Watch();
  EXPECT_EQ(Run({"quit"}), kExitHappened);
  StopServer();
  process->ReadUntil(kLeft);
  process->ReadUntil("tidectl: the VM ended (host-qmp-quit)");
  EXPECT_TRUE(process->EchoesAndWaitsForLines());
  const int status = process->Wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kExitFailed) << status;
}

TEST_F(WatchTest, CtrlZStopsItOnTheTerminalAsItWas) {
  auto process = Watch();
  process->Type("\x1a");
  EXPECT_TRUE(WIFSTOPPED(process->Wait()));
  ExpectRestored(*process);
  process->Signal(SIGCONT);
  process->ReadUntil(kEntered);
  process->ReadUntil("CPU  WANTED");
  process->Type("q");
  process->Wait();
  ExpectRestored(*process);
}

TEST_F(WatchTest, EventsAreShownAsTheyCome) {
  scripts_[2] = {{"notified"}};
  auto process = Watch();
  process->ReadUntil("wanted: 2 of 4 (0-1)");
  EXPECT_EQ(Run({"plug", "2"}), kExitHappened);
  process->ReadUntil("wanted: 3 of 4 (0-2)");
  process->ReadUntil("add notified");
}

TEST_F(WatchTest, NewSizeIsDrawnForAtOnce) {
  auto process = Watch();
  process->Resize({.rows = 24, .columns = 40});
  process->ReadUntil("w wanted  r registered");
  process->Resize({.rows = 24, .columns = 100});
  process->ReadUntil("CPU  WANTED");
}

TEST_F(WatchTest, ColoursOnlyWhereTheyAreWelcome) {
  scripts_[2] = {{"notified"}};
  EXPECT_EQ(Run({"plug", "2"}), kExitHappened);
  auto coloured = Watch({"NO_COLOR="});
  EXPECT_THAT(coloured->ReadUntil("add notified"), HasSubstr("\x1b[33m"));
  auto plain = Watch({"NO_COLOR=1"});
  EXPECT_THAT(plain->ReadUntil("add notified"), Not(HasSubstr("\x1b[33m")));
}

TEST_F(WatchTest, JsonIsASnapshotForEachChangeAndCpuTimeIsNone) {
  StartServer();
  PtyProcess process({TIDECTL_BIN, "-s", socket_, "watch", "--json"}, {"TERM=xterm"}, {});
  const auto change = [this](std::function<void(control::VcpuStatus&)> how) {
    OnLoop([&] {
      how(machine_.cpus[1]);
      server_->Publish(control::event::VcpuState{
          .cpu = 1, .state = "running", .online = machine_.cpus[1].online});
    });
  };
  Json snapshot = Json::parse(process.ReadUntil("\n"));
  EXPECT_EQ(snapshot["status"], "running");
  EXPECT_EQ(snapshot["vcpus"][1]["online"], "yes");
  change([](control::VcpuStatus& vcpu) { vcpu.cpu_time += std::chrono::seconds(1); });
  change([](control::VcpuStatus& vcpu) { vcpu.online = false; });
  snapshot = Json::parse(process.ReadUntil("\n"));
  EXPECT_EQ(snapshot["vcpus"][1]["online"], "no");
}

TEST_F(WatchTest, WithoutATerminalItIsJson) {
  EXPECT_EQ(Run({"watch", "--timeout", "100ms"}), kExitHappened);
  EXPECT_EQ(LastJson()["vcpus"].size(), 4U);
}

TEST_F(WatchTest, SnapshotsNamePendingOperationsAlone) {
  scripts_[3] = {{"notified"}};
  EXPECT_EQ(Run({"plug", "2", "--wait"}), kExitHappened);
  EXPECT_EQ(Run({"plug", "3"}), kExitHappened);
  EXPECT_EQ(Run({"watch", "--json", "--timeout", "100ms"}, {}, [] { return ScreenSize{}; }),
            kExitHappened);
  EXPECT_EQ(LastJson()["operations"].size(), 1U);
  EXPECT_EQ(LastJson()["operations"][0]["cpu"], 3);
}

}  // namespace
}  // namespace tidevm::tidectl
