// The result of anything that can fail at run time: a value, or a code, a sentence and an errno.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace tidevm {

/// What kind of failure it was; the sentence beside it says which.
enum class ErrorCode {
  kInvalidArgument,   ///< the request itself makes no sense
  kLimitExceeded,     ///< a limit of KVM, of the host or of tidevm
  kNotFound,          ///< the named thing does not exist
  kPermissionDenied,  ///< the named thing exists, this process may not use it
  kUnsupported,       ///< the host or the file lacks a feature
  kCorrupt,           ///< bytes from outside that do not hold together
  kBusy,              ///< somebody else has it, or a request for it is under way
  kIo,                ///< a system call failed
};

/// A failure. `message` is one sentence without a final full stop: what was wrong, the value, the
/// limit, and what to do. `sys_errno` is 0 where no system call was involved.
struct Error {
  ErrorCode code = ErrorCode::kIo;
  std::string message;
  int sys_errno = 0;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// Makes the failure side of a Result from a format string.
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> Fail(ErrorCode code, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::make_unexpected(
      Error{.code = code, .message = fmt::format(format, std::forward<Args>(args)...)});
}

/// What to do about an errno that means the same wherever it comes from, with "; " in front; empty
/// for all others.
inline std::string_view RemedyFor(int err) {
  switch (err) {
    case ENOMEM:
      return "; free memory on the host, or raise the memory limit of this process (memory.max)";
    case EMFILE:
      return "; raise this process's limit of open files (ulimit -n, LimitNOFILE=)";
    case ENFILE:
      return "; raise the host's limit of open files (sysctl fs.file-max)";
    default:
      return "";
  }
}

/// The same for a failed system call: appends ": <strerror>" and what to do, and keeps `err`.
/// EACCES and EPERM become kPermissionDenied, ENOENT kNotFound, everything else kIo.
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> FailErrno(int err, fmt::format_string<Args...> format,
                                              Args&&... args) {
  ErrorCode code = ErrorCode::kIo;
  if (err == EACCES || err == EPERM) {
    code = ErrorCode::kPermissionDenied;
  } else if (err == ENOENT) {
    code = ErrorCode::kNotFound;
  }
  return tl::make_unexpected(
      Error{.code = code,
            .message = fmt::format("{}: {}{}", fmt::format(format, std::forward<Args>(args)...),
                                   std::strerror(err), RemedyFor(err)),
            .sys_errno = err});
}

/// Puts what was being done in front of why it failed.
[[nodiscard]] inline tl::unexpected<Error> Chain(Error cause, std::string_view doing) {
  cause.message = fmt::format("{}: {}", doing, cause.message);
  return tl::make_unexpected(std::move(cause));
}

}  // namespace tidevm
