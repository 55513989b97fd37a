// tidectl against a real server with a machine that only pretends. The server's loop runs in a
// thread of its own, which alone touches the machine; tidectl runs in the test's thread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "tools/tidectl/commands.h"
#include "vmm/control/fake_machine.h"
#include "vmm/control/qmp_server.h"

namespace tidevm::tidectl {
namespace {

using control::FakeMachine;
using control::OperationStatus;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using tidevm::Outcome;

class TidectlTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tidectl-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    socket_ = (folder_ / "vm.sock").string();
    server_ = *control::QmpServer::Create(loop_, machine_, {.path = socket_});
    machine_.on_quit = [this] {
      server_->Publish(
          control::event::Shutdown{.guest = false, .reason = control::ShutdownCause::kHostQmpQuit});
      loop_.Quit();
    };
    // Each operation goes through its phases a moment after it was requested.
    machine_.on_begin = [this](const OperationStatus& operation) {
      Tell(operation, "requested", Outcome::kPending);
      loop_.After(milliseconds(5),
                  [this, operation] { Tell(operation, "notified", Outcome::kPending); });
      loop_.After(milliseconds(10), [this, operation] { End(operation); });
    };
    ASSERT_TRUE(loop_.Add(end_.get(), EPOLLIN, [this](std::uint32_t) { loop_.Quit(); }));
  }
  void TearDown() override {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      EXPECT_EQ(::write(end_.get(), &one, sizeof one), ssize_t{sizeof one});
      thread_.join();
    }
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void Tell(const OperationStatus& begun, std::string_view phase, Outcome outcome) {
    OperationStatus& operation = machine_.begun.at(begun.id - 1);
    operation.outcome = outcome;
    operation.reason = outcome == Outcome::kRefused ? "the guest says it is busy" : "";
    if (operation.phases.back().phase != phase) {
      operation.phases.push_back({.phase = phase, .since_request = milliseconds(7)});
    }
    server_->Publish(control::event::VcpuOperation{.id = operation.id,
                                                   .cpu = operation.cpu,
                                                   .kind = operation.kind,
                                                   .phase = phase,
                                                   .outcome = outcome,
                                                   .reason = operation.reason,
                                                   .since_request = milliseconds(7)});
  }
  void End(const OperationStatus& operation) {
    if (operation.cpu == refused_cpu_) {
      Tell(operation, "notified", Outcome::kRefused);
    } else if (operation.cpu != silent_cpu_) {
      const bool add = operation.kind == OperationKind::kAdd;
      Tell(operation, add ? "registered" : "parked", Outcome::kDone);
    }
  }

  int Run(std::vector<std::string> words) {
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { EXPECT_TRUE(loop_.Run()); });
    }
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err, {}};
    const int code = RunTidectl(std::move(words), socket_.c_str(), terminal);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  std::filesystem::path folder_;
  std::string socket_;
  control::EventLoop loop_ = *control::EventLoop::Create();
  FakeMachine machine_;
  UniqueFd end_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<control::QmpServer> server_;
  CpuId refused_cpu_ = 99;
  CpuId silent_cpu_ = 99;
  std::thread thread_;
  std::string out_;
  std::string err_;
};

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

TEST_F(TidectlTest, WaitShowsEachPhaseOnceAndEndsWithTheOperations) {
  EXPECT_EQ(Run({"set-vcpus", "0,2,3", "--wait"}), kExitHappened);
  EXPECT_THAT(out_, HasSubstr("vCPU 3    add     registered  done\n"));
  EXPECT_THAT(out_, HasSubstr("vCPU 1    remove  parked  done\n"));
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 9);
}

TEST_F(TidectlTest, WaitWithJsonEndsInAResult) {
  EXPECT_EQ(Run({"set-vcpus", "3", "--wait", "--json"}), kExitHappened);
  std::istringstream lines(out_);
  std::string line;
  Json last;
  while (std::getline(lines, line)) {
    last = Json::parse(line);
  }
  EXPECT_EQ(last["result"], "done");
  EXPECT_EQ(last["operations"][0]["phase"], "registered");
}

TEST_F(TidectlTest, RefusalFailsWithItsReason) {
  refused_cpu_ = 1;
  EXPECT_EQ(Run({"unplug", "1", "--wait"}), kExitFailed);
  EXPECT_THAT(out_, HasSubstr("remove  notified  refused: the guest says it is busy\n"));
}

TEST_F(TidectlTest, SilenceTimesOutAndSaysHowFarItCame) {
  silent_cpu_ = 2;
  EXPECT_EQ(Run({"plug", "2", "--wait", "--timeout", "1s"}), kExitTimeout);
  EXPECT_THAT(err_, HasSubstr("timed out: vCPU 2 add is still at \"notified\""));
}

TEST_F(TidectlTest, WaitCountsWhatSomebodyElseHasStarted) {
  silent_cpu_ = 2;
  EXPECT_EQ(Run({"set-vcpus", "3"}), kExitHappened);
  EXPECT_EQ(Run({"set-vcpus", "3", "--wait", "--timeout", "100ms"}), kExitTimeout);
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
  thread_.join();
  server_.reset();
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, {}};
  EXPECT_EQ(RunTidectl({"status"}, socket_.c_str(), terminal), kExitFailed);
  EXPECT_EQ(err.str(), "tidectl: no VM listens on " + socket_ +
                           " (No such file or directory); start tidevm with --control " + socket_ +
                           ", or name its socket with -s or TIDEVM_CONTROL\n");
}

TEST_F(TidectlTest, VmThatEndsWhileWaitedForIsAFailure) {
  silent_cpu_ = 2;
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

}  // namespace
}  // namespace tidevm::tidectl
