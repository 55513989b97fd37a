// For tests: tidectl against a real server with a machine that only pretends. The server's loop
// runs in a thread of its own, which alone touches the machine; tidectl runs in the test's thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <filesystem>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "tools/tidectl/commands.h"
#include "vmm/control/fake_machine.h"
#include "vmm/control/qmp_server.h"

namespace tidevm::tidectl {

/// One moment of an operation, told some milliseconds after the one before it.
struct Step {
  std::string_view phase;
  Outcome outcome = Outcome::kPending;
  std::string reason{};
};
using Script = std::vector<Step>;

inline const Script kAddGoesWell = {{"notified"}, {"registered"}, {"online", Outcome::kDone}};
inline const Script kRemovalGoesWell = {{"notified"}, {"parked", Outcome::kDone}};

class TidectlTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tidectl-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    socket_ = (folder_ / "vm.sock").string();
    server_ = *control::QmpServer::Create(loop_, machine_, {.path = socket_});
    for (control::VcpuStatus& vcpu : machine_.cpus) {
      vcpu.online = vcpu.wanted;
    }
    machine_.on_quit = [this] {
      server_->Publish(
          control::event::Shutdown{.guest = false, .reason = control::ShutdownCause::kHostQmpQuit});
      loop_.Quit();
    };
    machine_.on_begin = [this](const control::OperationStatus& operation) {
      Tell(operation.id, {"requested"});
      const auto found = scripts_.find(operation.cpu);
      const bool add = operation.kind == OperationKind::kAdd;
      const Script& script = found != scripts_.end() ? found->second
                             : add                   ? kAddGoesWell
                                                     : kRemovalGoesWell;
      for (std::size_t i = 0; i < script.size(); ++i) {
        loop_.After(std::chrono::milliseconds(3 * (i + 1)),
                    [this, id = operation.id, step = script[i]] { Tell(id, step); });
      }
    };
    ASSERT_TRUE(loop_.Add(wake_.get(), EPOLLIN, [this](std::uint32_t) { posted_(); }));
  }
  void TearDown() override {
    if (thread_.joinable()) {
      Post([this] { loop_.Quit(); });
    }
    StopServer();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void StartServer() {
    if (!thread_.joinable() && !stopped_) {
      thread_ = std::thread([this] { EXPECT_TRUE(loop_.Run()); });
    }
  }
  /// When something has told the loop to quit.
  void StopServer() {
    if (thread_.joinable()) {
      thread_.join();
    }
    server_.reset();
    stopped_ = true;
  }
  /// On the loop's thread, once it runs; returns when `work` has.
  void OnLoop(const std::function<void()>& work) {
    std::promise<void> done;
    Post([&] {
      std::uint64_t count = 0;
      EXPECT_EQ(::read(wake_.get(), &count, sizeof count), ssize_t{sizeof count});
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  /// Loop's thread, or before it runs.
  void Tell(std::uint64_t id, const Step& step) {
    control::OperationStatus& operation = machine_.begun.at(id - 1);
    if (operation.outcome != Outcome::kPending) {
      return;  // cancelled meanwhile
    }
    operation.outcome = step.outcome;
    operation.reason = step.reason;
    if (operation.phases.back().phase != step.phase) {
      operation.phases.push_back(
          {.phase = step.phase, .since_request = std::chrono::milliseconds(7)});
    }
    control::VcpuStatus& vcpu = machine_.cpus.at(operation.cpu);
    if (step.phase == "online" || step.phase == "parked") {
      vcpu.online = step.phase == "online";
    }
    server_->Publish(control::event::VcpuOperation{.id = operation.id,
                                                   .cpu = operation.cpu,
                                                   .kind = operation.kind,
                                                   .phase = step.phase,
                                                   .outcome = step.outcome,
                                                   .reason = step.reason,
                                                   .since_request = std::chrono::milliseconds(7)});
  }

  int Run(std::vector<std::string> words, Style style = {},
          std::function<ScreenSize()> screen = {}) {
    StartServer();
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err, style, std::move(screen)};
    const int code = RunTidectl(std::move(words), socket_.c_str(), terminal);
    out_ = out.str();
    err_ = err.str();
    return code;
  }
  /// The last line that was written, which is JSON.
  Json LastJson() const {
    const std::size_t end = out_.find_last_not_of('\n');
    const std::size_t start = out_.rfind('\n', end);
    return Json::parse(out_.substr(start == std::string::npos ? 0 : start + 1), nullptr, false);
  }

  std::filesystem::path folder_;
  std::string socket_;
  control::EventLoop loop_ = *control::EventLoop::Create();
  control::FakeMachine machine_;
  UniqueFd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<control::QmpServer> server_;
  std::map<CpuId, Script> scripts_;  // of every operation on that CPU
  std::string out_;
  std::string err_;

 private:
  // One at a time. The write orders posted_ before the callback.
  void Post(std::function<void()> work) {
    posted_ = std::move(work);
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(wake_.get(), &one, sizeof one), ssize_t{sizeof one});
  }

  std::function<void()> posted_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace tidevm::tidectl
