// Processes that are filtered, and what becomes of them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "vmm/sandbox/sandbox.h"

namespace tidevm::sandbox {

/// How a child ended, and what it said.
struct Outcome {
  int exit_status = -1;  // 128 + the signal, where one ended it
  std::string errors;    // its stderr
};

inline constexpr int kBodyReturned = 42;

/// The end of a confined process. _exit() would not do: before what does not return,
/// AddressSanitizer makes a call of its own.
void Leave(int status);

/// Forks, confines the child as tidevm does (a machine thread; for kVcpu a thread of it, called
/// vcpu-7), and has it do `body`. `on_output` is called whenever the child has written something.
Outcome RunConfined(
    ThreadKind kind, const SandboxOptions& options, const std::function<void()>& body,
    const std::function<void(pid_t)>& on_output = [](pid_t) {});

}  // namespace tidevm::sandbox
