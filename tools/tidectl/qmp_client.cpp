#include "tools/tidectl/qmp_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace tidevm::tidectl {
namespace {

constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;

tl::unexpected<Failure> Fails(FailureKind kind, std::string message) {
  return tl::make_unexpected(Failure{kind, std::move(message)});
}

tl::unexpected<Failure> NoConnection(const std::string& path, int error) {
  if (error == ENOENT || error == ECONNREFUSED) {
    return Fails(FailureKind::kConnection,
                 fmt::format("no VM listens on {} ({}); start tidevm with --control {}, or name "
                             "its socket with -s or TIDEVM_CONTROL",
                             path, std::strerror(error), path));
  }
  if (error == EACCES || error == EPERM) {
    return Fails(FailureKind::kConnection,
                 fmt::format("no permission for {}; only root and the user that runs the VM may "
                             "use its socket",
                             path));
  }
  return Fails(FailureKind::kConnection,
               fmt::format("cannot connect to {}: {}", path, std::strerror(error)));
}

}  // namespace

CallResult<QmpClient> QmpClient::Connect(const std::string& path, Deadline deadline, WireTap tap) {
  if (path.empty() || path.size() > kMaxPathBytes) {
    return Fails(FailureKind::kConnection,
                 fmt::format("socket path \"{}\" has {} bytes; it must have 1 to {}", path,
                             path.size(), kMaxPathBytes));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  QmpClient client(UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), std::move(tap));
  if (!client.fd_.valid() ||
      ::connect(client.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0) {
    return NoConnection(path, errno);
  }
  auto greeting = client.ReadAnswer(deadline);
  if (!greeting) {
    if (greeting.error().kind == FailureKind::kTimeout) {
      greeting.error().message = fmt::format("{} does not answer", path);
    } else if (greeting.error().kind == FailureKind::kConnection) {
      greeting.error().message = fmt::format(
          "{} closed the connection; only root and the user that runs the VM may use it", path);
    }
    return tl::make_unexpected(std::move(greeting.error()));
  }
  if (const auto error = greeting->find("error"); error != greeting->end()) {
    return Fails(FailureKind::kConnection, error->value("desc", "refused without a reason"));
  }
  if (!greeting->contains("QMP")) {
    return Fails(FailureKind::kConnection, fmt::format("{} does not speak QMP", path));
  }
  if (auto done = client.Execute("qmp_capabilities", Json::object(), deadline); !done) {
    return tl::make_unexpected(std::move(done.error()));
  }
  return client;
}

CallResult<Json> QmpClient::Execute(const std::string& command, Json arguments, Deadline deadline) {
  Json request = {{"execute", command}};
  if (!arguments.empty()) {
    request["arguments"] = std::move(arguments);
  }
  auto answer = Call(request, deadline);
  if (!answer) {
    return answer;
  }
  if (const auto error = answer->find("error"); error != answer->end() && error->is_object()) {
    return Fails(FailureKind::kRefused, error->value("desc", "refused without a reason"));
  }
  return answer->value("return", Json::object());
}

CallResult<Json> QmpClient::Call(const Json& request, Deadline deadline) {
  const std::string line = request.dump(-1, ' ', true, Json::error_handler_t::replace);
  Note(WireDirection::kSent, line);
  if (auto sent = Send(line + "\n", deadline); !sent) {
    return tl::make_unexpected(std::move(sent.error()));
  }
  return ReadAnswer(deadline);
}

CallResult<std::optional<Json>> QmpClient::NextEvent(Deadline deadline) {
  while (events_.empty()) {
    auto message = ReadMessage(deadline);
    if (!message || !*message) {
      return message;
    }
    // An answer that nobody waits for any more: the call had timed out.
  }
  std::optional<Json> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

CallResult<Json> QmpClient::ReadAnswer(Deadline deadline) {
  while (true) {
    auto message = ReadMessage(deadline);
    if (!message) {
      return tl::make_unexpected(std::move(message.error()));
    }
    if (!*message) {
      return Fails(FailureKind::kTimeout, "the VM did not answer in time");
    }
    if (!(*message)->contains("event")) {
      return *std::move(*message);
    }
  }
}

// One message; an event is put on the queue as well as returned. nullopt: the deadline came.
CallResult<std::optional<Json>> QmpClient::ReadMessage(Deadline deadline) {
  while (true) {
    if (const std::size_t end = input_.find('\n', scanned_); end != std::string::npos) {
      const std::string line = input_.substr(0, end);
      Note(WireDirection::kReceived, line);
      Json message = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      input_.erase(0, end + 1);
      scanned_ = 0;
      if (!message.is_object()) {
        return Fails(FailureKind::kConnection, "the other side does not speak QMP");
      }
      if (message.contains("event")) {
        if (message["event"] == "SHUTDOWN") {
          last_words_ = message.value("/data/reason"_json_pointer, std::string());
        }
        events_.push_back(message);
      }
      return std::optional<Json>(std::move(message));
    }
    scanned_ = input_.size();
    const auto ready = WaitFor(POLLIN, deadline);
    if (!ready) {
      return tl::make_unexpected(ready.error());
    }
    if (!*ready) {
      return std::optional<Json>();
    }
    std::array<char, 16 * 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      input_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      return Gone();
    }
  }
}

CallResult<void> QmpClient::Send(const std::string& text, Deadline deadline) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count =
        ::send(fd_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET) {
      return {};  // its last words may still be there to read, and say more than this errno
    }
    if (errno != EAGAIN && errno != EINTR) {
      return Gone();
    }
    const auto ready = WaitFor(POLLOUT, deadline);
    if (!ready) {
      return tl::make_unexpected(ready.error());
    }
    if (!*ready) {
      return Fails(FailureKind::kTimeout, "the VM does not take the request");
    }
  }
  return {};
}

CallResult<bool> QmpClient::WaitFor(short poll_events, Deadline deadline) {
  while (true) {
    int timeout = -1;
    if (deadline != kNever) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      timeout = static_cast<int>(
          std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
    }
    pollfd poller{.fd = fd_.get(), .events = poll_events, .revents = 0};
    const int count = ::poll(&poller, 1, timeout);
    if (count >= 0) {
      return count > 0;
    }
    if (errno != EINTR) {
      return Gone();
    }
  }
}

void QmpClient::Note(WireDirection direction, std::string_view line) const {
  if (tap_) {
    tap_(direction, line);
  }
}

tl::unexpected<Failure> QmpClient::Gone() const {
  return Fails(FailureKind::kConnection, last_words_.empty()
                                             ? "the VM closed the connection"
                                             : fmt::format("the VM ended ({})", last_words_));
}

}  // namespace tidevm::tidectl
