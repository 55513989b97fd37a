#include "vmm/sandbox/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace tidevm::sandbox {
namespace {

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

__user_cap_header_struct ThisThread() { return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0}; }

/// What an exec could give back. Only who has CAP_SETPCAP may make it smaller; no_new_privs does
/// the same for the others.
Result<void> EmptyBoundingSet() {
  for (unsigned long capability = 0;; ++capability) {
    const int there = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (there < 0) {
      return {};  // the kernel has no more of them
    }
    if (there == 0) {
      continue;
    }
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EPERM) {
        return {};
      }
      return FailErrno(errno, "dropping capability {} for good", capability);
    }
  }
}

}  // namespace

Result<void> DropPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "no_new_privs");
  }
  if (auto emptied = EmptyBoundingSet(); !emptied) {
    return emptied;
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return FailErrno(errno, "clearing the ambient capabilities");
  }
  auto header = ThisThread();
  CapabilityData data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) {
    return FailErrno(errno, "reading the capabilities");
  }
  const bool none = std::ranges::all_of(data, [](const auto& half) {
    return (half.effective | half.permitted | half.inheritable) == 0;
  });
  data.fill({});
  // An outer filter (systemd's, say) may forbid even this call to a process that has none.
  if (!none && ::syscall(SYS_capset, &header, data.data()) != 0) {
    return FailErrno(errno, "dropping the capabilities");
  }
  return {};
}

}  // namespace tidevm::sandbox
