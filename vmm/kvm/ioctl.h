// The one way into ::ioctl. Private to vmm/kvm.
#pragma once

#include <sys/ioctl.h>

#include <cerrno>

namespace tidevm::kvm {

/// ioctl that is called again when a signal interrupts it. Not for KVM_RUN, where EINTR means
/// something. Returns what ioctl returns; errno is set where that is -1.
template <typename Argument>
int RetryIoctl(int fd, unsigned long request, Argument argument) {
  int result = 0;
  do {
    result = ::ioctl(fd, request, argument);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace tidevm::kvm
