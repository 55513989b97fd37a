#include "vmm/control/qmp_test_util.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace tidevm::control {

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tidevm-qmp-XXXXXX").string();
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::operator/(const char* name) const { return (path_ / name).string(); }

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd BoundSocket(const std::string& path, int type) {
  UniqueFd fd(::socket(AF_UNIX, type, 0));
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

Client::Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

std::size_t Client::Send(std::string_view text) const {
  const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

void Client::EndInput() const { EXPECT_EQ(::shutdown(fd_.get(), SHUT_WR), 0); }

void Client::Receive() {
  std::array<char, 65536> buffer{};
  ssize_t count = 0;
  while ((count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
    input_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  gone_ = gone_ || count == 0 || (count < 0 && errno == ECONNRESET);
}

std::optional<Json> Client::TakeMessage() {
  const std::size_t end = input_.find("\r\n", taken_);
  if (end == std::string::npos) {
    return std::nullopt;
  }
  Json message = Json::parse(input_.substr(taken_, end - taken_), nullptr, false);
  taken_ = end + 2;
  return message;
}

QmpServerTest::QmpServerTest() = default;
QmpServerTest::~QmpServerTest() = default;

void QmpServerTest::SetUp() { server_ = *QmpServer::Create(loop_, machine_, {.path = path_}); }
void QmpServerTest::TearDown() { server_.reset(); }

void QmpServerTest::Turn() {
  loop_.After(std::chrono::milliseconds(1), [this] { loop_.Quit(); });
  ASSERT_TRUE(loop_.Run());
}

Json QmpServerTest::Next(Client& client) {
  std::optional<Json> message;
  EXPECT_TRUE(Until([&] {
    client.Receive();
    return (message = client.TakeMessage()).has_value();
  }));
  return message.value_or(Json());
}

void QmpServerTest::ExpectGone(Client& client) {
  EXPECT_TRUE(Until([&] {
    client.Receive();
    return client.gone();
  }));
}

Client QmpServerTest::Negotiated() {
  Client client(path_);
  client.Send(kNegotiate);
  EXPECT_TRUE(Next(client).contains("QMP"));
  EXPECT_TRUE(Next(client).contains("return"));
  return client;
}

}  // namespace tidevm::control
