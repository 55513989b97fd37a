#include "vmm/devices/host_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <limits>

namespace tidevm::devices {
namespace {

constexpr std::size_t kPolledTerminalChunk =
    16;  // a terminal that polls ready takes a few at least
constexpr mode_t kFileMode = 0644;

struct stat StatusOf(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return status;
}

/// Whether epoll takes it. It refuses what is always ready: regular files, /dev/null.
Result<bool> IsWaitable(int fd) {
  const UniqueFd probe(::epoll_create1(EPOLL_CLOEXEC));
  if (!probe.valid()) {
    return FailErrno(errno, "epoll_create1");
  }
  epoll_event event{};
  if (::epoll_ctl(probe.get(), EPOLL_CTL_ADD, fd, &event) == 0) {
    return true;
  }
  if (errno == EPERM) {
    return false;
  }
  return FailErrno(errno, "epoll_ctl of descriptor {}", fd);
}

/// Opening a pseudo-terminal's master again would make a new pair.
bool CanOpenAgain(const struct stat& status) {
  const bool is_master = S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2);
  return (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) && !is_master;
}

}  // namespace

Result<HostStream> HostStream::Make(UniqueFd fd, Kind kind) {
  return IsWaitable(fd.get()).map(
      [&](bool waitable) { return HostStream(std::move(fd), kind, waitable); });
}

HostStream::HostStream(UniqueFd fd, Kind kind, bool waitable)
    : fd_(std::move(fd)),
      kind_(kind),
      chunk_(std::numeric_limits<ssize_t>::max()),
      waitable_(waitable) {
  if (kind_ == Kind::kPolled) {
    // A pipe that polls writable has room for PIPE_BUF bytes.
    chunk_ = S_ISFIFO(StatusOf(fd_.get()).st_mode) ? PIPE_BUF : kPolledTerminalChunk;
  }
}

Result<HostStream> HostStream::From(int fd, Direction direction) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return FailErrno(errno, "descriptor {} is of no use", fd);
  }
  if (CanOpenAgain(status)) {
    const std::string path = fmt::format("/proc/self/fd/{}", fd);
    const int mode = direction == Direction::kRead ? O_RDONLY : O_WRONLY;
    UniqueFd own(::open(path.c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own.valid()) {
      return Make(std::move(own), Kind::kNonBlocking);
    }
  }
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) {
    return FailErrno(errno, "cannot duplicate descriptor {}", fd);
  }
  Kind kind = Kind::kPolled;
  if (S_ISSOCK(status.st_mode)) {
    kind = Kind::kSocket;
  } else if (S_ISREG(status.st_mode)) {
    kind = Kind::kNonBlocking;
  }
  return Make(std::move(copy), kind);
}

Result<HostStream> HostStream::OpenFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                     kFileMode));
  if (!fd.valid()) {
    return FailErrno(errno, "cannot write to \"{}\"", path);
  }
  return Make(std::move(fd), Kind::kNonBlocking);
}

HostStream::Transfer HostStream::Read(std::span<std::byte> data) const {
  if (data.empty() || (kind_ == Kind::kPolled && !ReadyNow(POLLIN))) {
    return {};
  }
  const ssize_t result = kind_ == Kind::kSocket
                             ? ::recv(fd_.get(), data.data(), data.size(), MSG_DONTWAIT)
                             : ::read(fd_.get(), data.data(), data.size());
  Transfer transfer = Finish(result);
  transfer.end = result == 0;
  return transfer;
}

HostStream::Transfer HostStream::Write(std::span<const std::byte> data) const {
  Transfer total;
  while (total.count < data.size()) {
    if (kind_ == Kind::kPolled && !ReadyNow(POLLOUT)) {
      break;
    }
    const auto piece = data.subspan(total.count, std::min(chunk_, data.size() - total.count));
    const ssize_t result = kind_ == Kind::kSocket ? ::send(fd_.get(), piece.data(), piece.size(),
                                                           MSG_DONTWAIT | MSG_NOSIGNAL)
                                                  : ::write(fd_.get(), piece.data(), piece.size());
    const Transfer step = Finish(result);
    total.count += step.count;
    total.error = step.error;
    if (step.count == 0) {
      break;
    }
  }
  return total;
}

HostStream::Transfer HostStream::Finish(ssize_t result) const {
  if (result >= 0) {
    return {.count = static_cast<std::size_t>(result)};
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return {};
  }
  return {.error = errno};
}

bool HostStream::ReadyNow(short events) const {
  pollfd ready{.fd = fd_.get(), .events = events, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace tidevm::devices
