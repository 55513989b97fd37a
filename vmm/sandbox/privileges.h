// The end of privileges.
#pragma once

#include "tidevm/result.h"

namespace tidevm::sandbox {

/// No exec will ever give the process more than it has (no_new_privs), and it gives up every
/// capability, for good: effective, permitted, inheritable, ambient, and the bounding set where it
/// may. User and groups stay. An ordinary user loses nothing.
///
/// For the calling thread and those that it starts, so before there are others.
Result<void> DropPrivileges();

}  // namespace tidevm::sandbox
