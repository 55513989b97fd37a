// For tests: tidectl against a real server with a machine that only pretends. The server's loop
// runs in a thread of its own, which alone touches the machine; tidectl runs in the test's thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

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
  TidectlTest();
  ~TidectlTest() override;
  void SetUp() override;
  void TearDown() override;

  void StartServer();
  /// When something has told the loop to quit.
  void StopServer();
  /// On the loop's thread, once it runs; returns when `work` has.
  void OnLoop(const std::function<void()>& work);

  /// Loop's thread, or before it runs.
  void Tell(std::uint64_t id, const Step& step);

  int Run(std::vector<std::string> words, Style style = {},
          std::function<ScreenSize()> screen = {});
  /// The last line that was written, which is JSON.
  Json LastJson() const;

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
  void Post(std::function<void()> work);

  std::function<void()> posted_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace tidevm::tidectl
