// For tests: a QMP server over a real socket whose loop runs in the test's own thread, in short
// turns, and clients that never block.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vmm/control/fake_machine.h"
#include "vmm/control/qmp_message.h"
#include "vmm/control/qmp_server.h"

namespace tidevm::control {

inline constexpr const char* kNegotiate = "{\"execute\": \"qmp_capabilities\"}\n";

// Made in the test, so that two at a time (ctest -j) do not meet.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  std::string operator/(const char* name) const;

 private:
  std::filesystem::path path_;
};

sockaddr_un AddressOf(const std::string& path);
UniqueFd BoundSocket(const std::string& path, int type = SOCK_STREAM);

class Client {
 public:
  explicit Client(const std::string& path);
  // As much as the socket takes.
  std::size_t Send(std::string_view text) const;
  void EndInput() const;
  void Close() { fd_.Reset(); }

  // What has arrived until now.
  void Receive();
  std::optional<Json> TakeMessage();
  bool gone() const { return gone_; }
  // To wait for input with.
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string input_;
  std::size_t taken_ = 0;  // of input_
  bool gone_ = false;
};

class QmpServerTest : public testing::Test {
 public:
  ~QmpServerTest() override;

 protected:
  QmpServerTest();
  void SetUp() override;
  void TearDown() override;

  void Turn();
  template <typename Condition>
  bool Until(Condition condition) {
    for (int i = 0; i < 4000; ++i) {
      if (condition()) {
        return true;
      }
      Turn();
    }
    return false;
  }
  Json Next(Client& client);
  void ExpectGone(Client& client);
  Client Negotiated();

  TempFolder folder_;
  std::string path_ = folder_ / "vm.sock";
  EventLoop loop_ = *EventLoop::Create();
  FakeMachine machine_;
  std::unique_ptr<QmpServer> server_;
};

}  // namespace tidevm::control
