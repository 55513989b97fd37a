// Names of system calls.
#pragma once

#include <string>

namespace tidevm::sandbox {

/// Of x86-64; empty: there is no such call. Not for signal handlers.
std::string CallName(int number);

}  // namespace tidevm::sandbox
