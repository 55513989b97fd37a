// For tests: a QMP server over a real socket whose loop runs in the test's own thread, in short
// turns, and clients that never block.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
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
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tidevm-qmp-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

inline UniqueFd BoundSocket(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd fd(::socket(AF_UNIX, type, 0));
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    const sockaddr_un address = AddressOf(path);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  // As much as the socket takes.
  std::size_t Send(std::string_view text) const {
    const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void EndInput() const { EXPECT_EQ(::shutdown(fd_.get(), SHUT_WR), 0); }
  void Close() { fd_.Reset(); }

  // What has arrived until now.
  void Receive() {
    std::array<char, 65536> buffer{};
    ssize_t count = 0;
    while ((count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
      input_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    gone_ = gone_ || count == 0 || (count < 0 && errno == ECONNRESET);
  }
  std::optional<Json> TakeMessage() {
    const std::size_t end = input_.find("\r\n", taken_);
    if (end == std::string::npos) {
      return std::nullopt;
    }
    Json message = Json::parse(input_.substr(taken_, end - taken_), nullptr, false);
    taken_ = end + 2;
    return message;
  }
  bool gone() const { return gone_; }

 private:
  UniqueFd fd_;
  std::string input_;
  std::size_t taken_ = 0;  // of input_
  bool gone_ = false;
};

class QmpServerTest : public testing::Test {
 protected:
  void SetUp() override { server_ = *QmpServer::Create(loop_, machine_, {.path = path_}); }
  void TearDown() override { server_.reset(); }

  void Turn() {
    loop_.After(std::chrono::milliseconds(1), [this] { loop_.Quit(); });
    ASSERT_TRUE(loop_.Run());
  }
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
  Json Next(Client& client) {
    std::optional<Json> message;
    EXPECT_TRUE(Until([&] {
      client.Receive();
      return (message = client.TakeMessage()).has_value();
    }));
    return message.value_or(Json());
  }
  void ExpectGone(Client& client) {
    EXPECT_TRUE(Until([&] {
      client.Receive();
      return client.gone();
    }));
  }
  Client Negotiated() {
    Client client(path_);
    client.Send(kNegotiate);
    EXPECT_TRUE(Next(client).contains("QMP"));
    EXPECT_TRUE(Next(client).contains("return"));
    return client;
  }

  TempFolder folder_;
  std::string path_ = folder_ / "vm.sock";
  EventLoop loop_ = *EventLoop::Create();
  FakeMachine machine_;
  std::unique_ptr<QmpServer> server_;
};

}  // namespace tidevm::control
