#include "uevents.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

namespace tidevm::guest {
namespace {

constexpr int kReceiveBuffer = 4 << 20;
constexpr size_t kLargestUevent = 8192;  // the kernel's are at most 2048 and a path
constexpr unsigned kKernelGroup = 1;

// "add@/devices/...", then KEY=VALUE strings, each with a NUL.
Uevent Parse(std::string_view message) {
  Uevent event;
  while (!message.empty()) {
    const std::string_view field = message.substr(0, message.find('\0'));
    message.remove_prefix(std::min(field.size() + 1, message.size()));
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
      continue;
    }
    const std::string_view key = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    if (key == "ACTION") {
      event.action = value;
    }
    if (key == "DEVPATH") {
      event.device = value;
    }
    if (key == "SUBSYSTEM") {
      event.subsystem = value;
    }
    if (key == "DEVNAME") {
      event.node = value;
    }
  }
  return event;
}

}  // namespace

UeventSocket::UeventSocket()
    : fd_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    dprintf(STDERR_FILENO, "tidevm init: no uevents: errno %d\n", errno);
  }
}

bool UeventSocket::Drain(const std::function<void(const Uevent&)>& handle) const {
  bool complete = true;
  std::array<char, kLargestUevent> buffer;
  while (true) {
    sockaddr_nl sender = {};
    socklen_t sender_size = sizeof(sender);
    const ssize_t got = recvfrom(fd_, buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (got < 0) {
      return complete;
    }
    if (sender.nl_pid != 0) {
      continue;  // not from the kernel
    }
    handle(Parse({buffer.data(), static_cast<size_t>(got)}));
  }
}

}  // namespace tidevm::guest
