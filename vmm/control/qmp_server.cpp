#include "vmm/control/qmp_server.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "vmm/control/machine_json.h"
#include "vmm/control/qmp_message.h"
#include "vmm/control/qmp_session.h"

namespace tidevm::control {
namespace {

// How long to leave the listening socket alone when no descriptor is left for a new client. It is
// level-triggered, so without the pause the loop would spin.
constexpr std::chrono::seconds kAcceptPause{1};

}  // namespace

bool IsTrustedPeer(std::uint32_t peer_uid, std::uint32_t own_uid) {
  return peer_uid == 0 || peer_uid == own_uid;
}

Result<std::unique_ptr<QmpServer>> QmpServer::Create(EventLoop& loop, MachineControl& machine,
                                                     ServerOptions options) {
  auto socket = options.listen_fd.valid() ? ListeningSocket::Adopt(std::move(options.listen_fd))
                                          : ListeningSocket::Bind(options.path);
  if (!socket) {
    return tl::make_unexpected(socket.error());
  }
  // The constructor is private, so no make_unique.
  std::unique_ptr<QmpServer> server(
      new QmpServer(loop, machine, *std::move(socket), options.max_clients));
  if (auto started = server->StartAccepting(); !started) {
    return tl::make_unexpected(started.error());
  }
  return server;
}

QmpServer::QmpServer(EventLoop& loop, MachineControl& machine, ListeningSocket socket,
                     std::size_t max_clients)
    : loop_(loop), machine_(machine), socket_(std::move(socket)), max_clients_(max_clients) {}

QmpServer::~QmpServer() {
  loop_.Cancel(retry_);
  loop_.Remove(socket_.fd());
  for (const auto& [id, client] : clients_) {
    client->Abandon();
  }
}

void QmpServer::Publish(const Event& event) { Publish(event, std::chrono::system_clock::now()); }

void QmpServer::Publish(const Event& event, std::chrono::system_clock::time_point when) {
  if (clients_.empty()) {
    return;
  }
  const EventMessage message = ToMessage(event);
  const std::string line = EventLine(message.name, message.data, when);
  // A client may be dropped on the way, so not over the map itself.
  std::vector<std::shared_ptr<QmpSession>> clients;
  clients.reserve(clients_.size());
  for (const auto& [id, client] : clients_) {
    clients.push_back(client);
  }
  for (const auto& client : clients) {
    client->SendEvent(line);
  }
}

Result<void> QmpServer::StartAccepting() {
  return loop_.Add(socket_.fd(), EPOLLIN, [this](std::uint32_t /*events*/) { Accept(); });
}

void QmpServer::Accept() {
  UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd.valid()) {
    if (std::exchange(accepting_fails_, false)) {
      spdlog::info("control: clients are accepted again");
    }
    Admit(std::move(fd));
    return;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
    return;
  }
  loop_.Remove(socket_.fd());
  PauseAccepting(FailErrno(errno, "accept").value().message);
}

/// Told once, however long it lasts.
void QmpServer::PauseAccepting(const std::string& why) {
  if (!std::exchange(accepting_fails_, true)) {
    spdlog::error("control: cannot accept a client, trying again every {} s: {}",
                  kAcceptPause.count(), why);
  }
  retry_ = loop_.After(kAcceptPause, [this] {
    if (const auto started = StartAccepting(); !started) {
      PauseAccepting(started.error().message);
    }
  });
}

void QmpServer::Admit(UniqueFd fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    spdlog::error("control: SO_PEERCRED: {}", std::strerror(errno));
    return;
  }
  if (!IsTrustedPeer(peer.uid, ::geteuid())) {
    spdlog::warn("control: process {} of user {} turned away: only user {} and root may speak",
                 peer.pid, peer.uid, ::geteuid());
    return;
  }
  if (clients_.size() >= max_clients_) {
    spdlog::warn("control: process {} turned away: {} clients already", peer.pid, clients_.size());
    const std::string line = ErrorLine(
        {.desc = fmt::format("Too many clients: the limit is {}; try again when one has gone",
                             max_clients_)},
        std::nullopt);
    // One attempt: a new socket has room for a line.
    (void)::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  const std::uint64_t id = next_client_++;
  auto session = std::make_shared<QmpSession>(loop_, machine_, std::move(fd),
                                              fmt::format("client {} (process {})", id, peer.pid));
  clients_.emplace(id, session);
  if (auto started = session->Start([this, id] { clients_.erase(id); }); !started) {
    spdlog::error("control: client {}: {}", id, started.error().message);
    clients_.erase(id);
  }
}

}  // namespace tidevm::control
