#include "power.h"

#include <fcntl.h>
#include <linux/input.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "text.h"

namespace tidevm::guest {
namespace {

bool HasPowerKey(int fd) {
  std::array<unsigned char, KEY_MAX / 8 + 1> keys = {};
  if (ioctl(fd, EVIOCGBIT(EV_KEY, keys.size()), keys.data()) < 0) {
    return false;
  }
  return (keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1) != 0;
}

bool IsEventNode(const std::string& node) { return node.starts_with("input/event"); }

}  // namespace

void End(Ending ending) {
  sync();
  if (ending == Ending::kPanic) {
    WriteFile("/proc/sysrq-trigger", "c");
    return;
  }
  reboot(ending == Ending::kReboot ? RB_AUTOBOOT : RB_POWER_OFF);
  // The kernel could not: say so by an exit of process 1, which is a panic.
  _exit(1);
}

void PowerButtons::Scan() {
  for (const std::string& name : ListFolder("/dev/input").value_or(std::vector<std::string>())) {
    const std::string node = "input/" + name;
    if (IsEventNode(node)) {
      Open(node);
    }
  }
}

void PowerButtons::HandleUevent(const Uevent& event) {
  if (event.subsystem != "input" || !IsEventNode(event.node)) {
    return;
  }
  if (event.action == "add") {
    Open(event.node);
  }
  if (event.action == "remove") {
    Close(event.node);
  }
}

std::vector<int> PowerButtons::fds() const {
  std::vector<int> fds;
  for (const Button& button : buttons_) {
    fds.push_back(button.fd);
  }
  return fds;
}

bool PowerButtons::Pressed(int fd) {
  input_event event;
  ssize_t got = 0;
  while ((got = read(fd, &event, sizeof(event))) == static_cast<ssize_t>(sizeof(event))) {
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) {
      return true;
    }
  }
  if (got < 0 && errno == ENODEV) {  // unplugged; would be readable for ever
    const auto gone = std::find_if(buttons_.begin(), buttons_.end(),
                                   [fd](const Button& button) { return button.fd == fd; });
    if (gone != buttons_.end()) {
      Close(std::string(gone->node));
    }
  }
  return false;
}

void PowerButtons::Open(const std::string& node) {
  // The scan and the uevent may both find it.
  if (std::any_of(buttons_.begin(), buttons_.end(),
                  [&](const Button& button) { return button.node == node; })) {
    return;
  }
  const int fd = open(("/dev/" + node).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  if (!HasPowerKey(fd)) {
    close(fd);
    return;
  }
  buttons_.push_back({.node = node, .fd = fd});
}

void PowerButtons::Close(const std::string& node) {
  const auto gone = std::find_if(buttons_.begin(), buttons_.end(),
                                 [&](const Button& button) { return button.node == node; });
  if (gone == buttons_.end()) {
    return;
  }
  close(gone->fd);
  buttons_.erase(gone);
}

}  // namespace tidevm::guest
