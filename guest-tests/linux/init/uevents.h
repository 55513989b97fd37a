// The kernel's announcements of devices that come, go and change.
#pragma once

#include <functional>
#include <string>

namespace tidevm::guest {

struct Uevent {
  std::string action;     // add, remove, online, offline, change ...
  std::string device;     // DEVPATH, e.g. /devices/system/cpu/cpu3
  std::string subsystem;  // cpu, input ...
  std::string node;       // DEVNAME below /dev, where there is one
};

class UeventSocket {
 public:
  // To be opened before the first scan of /sys: then nothing falls between the scan and the events.
  UeventSocket();

  int fd() const { return fd_; }

  // Hands on all that is waiting. Returns false if the kernel had to drop some: the caller must
  // scan again.
  bool Drain(const std::function<void(const Uevent&)>& handle) const;

 private:
  int fd_;
};

}  // namespace tidevm::guest
