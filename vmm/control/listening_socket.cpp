#include "vmm/control/listening_socket.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace tidevm::control {
namespace {

constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;  // 107
constexpr int kBacklog = 16;

sockaddr_un Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<UniqueFd> StreamSocket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return FailErrno(errno, "control socket");
  }
  return fd;
}

// Two VMs started at once on the same stale path must not unlink each other's new socket, so the
// look, the unlink, the bind and the listen happen under a lock of the folder. It needs no file of
// its own, and the kernel lets go of it whatever happens to the process.
Result<UniqueFd> LockFolder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  std::string folder = ".";
  if (slash != std::string::npos) {
    folder = slash == 0 ? "/" : path.substr(0, slash);
  }
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return FailErrno(errno, "control socket {}: folder {}", path, folder);
  }
  constexpr int kTries = 200;
  constexpr std::chrono::milliseconds kPause{10};
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      return fd;
    }
    std::this_thread::sleep_for(kPause);
  }
  return Fail(ErrorCode::kBusy,
              "control socket {}: another process holds a lock on folder {}; choose another folder",
              path, folder);
}

// Makes way for a new socket, or says why not.
Result<void> ClearPath(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return {};
    }
    return FailErrno(errno, "control socket {}", path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument,
                "control socket {}: exists and is not a socket; remove it, or choose another path",
                path);
  }
  auto probe = StreamSocket();
  if (!probe) {
    return tl::make_unexpected(probe.error());
  }
  const sockaddr_un address = Address(path);
  if (::connect(probe->get(), Generic(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    if (errno == EACCES) {
      return FailErrno(errno, "control socket {}: it belongs to somebody else", path);
    }
    return Fail(ErrorCode::kBusy,
                "control socket {}: another process listens there; end it, or choose another path",
                path);
  }
  if (::unlink(path.c_str()) != 0) {
    return FailErrno(errno, "control socket {}: cannot remove the stale socket", path);
  }
  return {};
}

Result<int> IntOption(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) {
    return FailErrno(errno, "control socket: descriptor {} is not a socket", fd);
  }
  return value;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Bind(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "control socket: the path is empty or holds a NUL");
  }
  if (path.size() > kMaxPathBytes) {
    return Fail(ErrorCode::kLimitExceeded,
                "control socket {}: the path has {} bytes, the system's limit is {}; choose a "
                "shorter one",
                path, path.size(), kMaxPathBytes);
  }
  const auto lock = LockFolder(path);
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  if (auto clear = ClearPath(path); !clear) {
    return tl::make_unexpected(clear.error());
  }
  auto fd = StreamSocket();
  if (!fd) {
    return tl::make_unexpected(fd.error());
  }
  // The file takes the mode of the socket's inode, less the umask, so it is never more open than
  // this, not even for an instant; and no other thread sees a changed umask.
  if (::fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0) {
    return FailErrno(errno, "control socket {}: fchmod", path);
  }
  const sockaddr_un address = Address(path);
  if (::bind(fd->get(), Generic(address), sizeof address) != 0) {
    return FailErrno(errno, "control socket {}", path);
  }
  ListeningSocket socket;
  socket.fd_ = *std::move(fd);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return FailErrno(errno, "control socket {}", path);
  }
  socket.path_ = path;
  socket.device_ = status.st_dev;
  socket.inode_ = status.st_ino;
  if (::listen(socket.fd(), kBacklog) != 0) {
    return FailErrno(errno, "control socket {}: listen", path);
  }
  return socket;
}

Result<ListeningSocket> ListeningSocket::Adopt(UniqueFd fd) {
  for (const auto& [option, wanted] :
       {std::pair{SO_DOMAIN, AF_UNIX}, {SO_TYPE, SOCK_STREAM}, {SO_ACCEPTCONN, 1}}) {
    const auto value = IntOption(fd.get(), option);
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    if (*value != wanted) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "control socket: descriptor {} is not a listening unix stream socket; pass one that "
          "is bound and listens",
          fd.get());
    }
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return FailErrno(errno, "control socket: descriptor {}", fd.get());
  }
  ListeningSocket socket;
  socket.fd_ = std::move(fd);
  return socket;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this != &other) {
    RemoveFile();
    fd_ = std::move(other.fd_);
    path_ = std::exchange(other.path_, {});
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

ListeningSocket::~ListeningSocket() { RemoveFile(); }

void ListeningSocket::RemoveFile() noexcept {
  if (path_.empty()) {
    return;
  }
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0) {
    const bool ours = status.st_dev == device_ && status.st_ino == inode_;
    if (!ours || ::unlink(path_.c_str()) == 0) {
      return;
    }
  }
  // Root has given up the right to do so in other users' folders by now.
  if (errno != ENOENT) {
    spdlog::warn("control socket {}: its file stays behind: {}", path_, std::strerror(errno));
  }
}

}  // namespace tidevm::control
