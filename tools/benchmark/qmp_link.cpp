#include "tools/benchmark/qmp_link.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace tidevm::benchmark {
namespace {

/// What follows `"KEY":` and blanks, which QEMU writes and tidevm does not.
std::optional<std::string_view> ValueAfter(std::string_view text, std::string_view key) {
  const std::string wanted = "\"" + std::string(key) + "\":";
  const std::size_t at = text.find(wanted);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + wanted.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

std::optional<std::int64_t> NumberAfter(std::string_view text, std::string_view key) {
  const auto value = ValueAfter(text, key);
  std::int64_t number = 0;
  if (!value ||
      std::from_chars(value->data(), value->data() + value->size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

bool QmpMessage::IsEvent(std::string_view name) const {
  const auto value = ValueAfter(text, "event");
  return value && value->starts_with("\"" + std::string(name) + "\"");
}

std::optional<Ost> ParseOst(const QmpMessage& message) {
  if (!message.IsEvent("ACPI_DEVICE_OST")) {
    return std::nullopt;
  }
  const auto source = NumberAfter(message.text, "source");
  const auto status = NumberAfter(message.text, "status");
  if (!source || !status) {
    return std::nullopt;
  }
  return Ost{.source = *source, .status = *status};
}

void QmpMessages::Append(std::string_view piece, Clock::time_point now) {
  for (std::size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    rest_ += piece.substr(0, end);
    piece.remove_prefix(end + 1);
    if (rest_.ends_with('\r')) {
      rest_.pop_back();
    }
    all_.push_back({.text = std::exchange(rest_, {}), .arrived = now});
  }
  rest_ += piece;
}

Result<QmpLink> QmpLink::Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, "socket path {} is longer than {} bytes", path,
                sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FailErrno(errno, "connecting to {}", path);
  }
  return QmpLink(std::move(fd));
}

Result<void> QmpLink::Send(const std::vector<Json>& commands) {
  std::string text;
  for (const Json& command : commands) {
    text += command.dump() + "\n";
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) {
      return FailErrno(errno, "sending {} bytes to the VM", rest.size());
    }
    rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, sent)));
  }
  return {};
}

void QmpLink::ReadWhatIsThere() {
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (fd_.valid()) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      messages_.Append({buffer.data(), static_cast<std::size_t>(got)}, Clock::now());
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      fd_.Reset();
    }
  }
}

}  // namespace tidevm::benchmark
