// Descriptors that whoever started this process left open for it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::machine {

enum class Access { kRead, kWrite };

/// What `value` ("fd:N") of `option` names: open, and good for `access` at least. It is this
/// process's own from then on, and no child's. To be called before anything is opened: a number
/// that was not passed could be another file's by then. kNotFound: it is not open.
Result<UniqueFd> ClaimDescriptor(std::string_view option, std::string_view value, Access access);

/// What systemd's socket activation says in the environment (sd_listen_fds(3)); "": not set.
struct ActivationEnvironment {
  std::string pid;    // LISTEN_PID
  std::string count;  // LISTEN_FDS: descriptors 3, 4, ...
  std::string names;  // LISTEN_FDNAMES, with ":" between them
};

ActivationEnvironment ReadActivationEnvironment();

/// Whether a value of --control means a socket that was passed, and no path.
bool IsPassedSocket(std::string_view control);

/// The value for --control systemd, as "fd:N": the only socket that was passed, or of several the
/// one with the name "control" (FileDescriptorName= of a .socket unit).
Result<std::string> FindActivatedControl(const ActivationEnvironment& environment, pid_t self);

}  // namespace tidevm::machine
