// The end of a thread that makes a call which it has no need of.
#pragma once

#include <string_view>

#include "tidevm/result.h"

namespace tidevm::sandbox {

/// The exit status of a process that a violation ended.
inline constexpr int kViolationExitStatus = 3;

enum class ReportStyle { kText, kJson };  // as the log

/// From now on SIGSYS of a filter writes one line to stderr, with thread and call, and ends the
/// process. Machine thread, once, before the filters. A SIGSYS that somebody sent is as ever.
///
/// Where the kernel finds SIGSYS blocked (glibc blocks all signals for a moment while a thread
/// starts or ends) it kills the process with that signal instead, without a word.
Result<void> InstallViolationHandler(ReportStyle style);

/// What the report calls the calling thread. No longer than a thread's name may be (15 bytes).
void NameThisThread(std::string_view name);

}  // namespace tidevm::sandbox
