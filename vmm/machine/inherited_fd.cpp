#include "vmm/machine/inherited_fd.h"

#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "tidevm/descriptor_name.h"

namespace tidevm::machine {
namespace {

constexpr std::string_view kActivated = "systemd";
constexpr std::string_view kControlName = "control";
constexpr int kFirstActivated = 3;  // SD_LISTEN_FDS_START

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// Which of `names` is the control socket's, counted from 0.
std::optional<int> IndexOfControl(std::string_view names) {
  for (int index = 0;; ++index) {
    const std::size_t colon = names.find(':');
    if (names.substr(0, colon) == kControlName) {
      return index;
    }
    if (colon == std::string_view::npos) {
      return std::nullopt;
    }
    names.remove_prefix(colon + 1);
  }
}

}  // namespace

Result<UniqueFd> ClaimDescriptor(std::string_view option, std::string_view value, Access access) {
  const auto number = DescriptorOf(value);
  if (!number) {
    return Fail(ErrorCode::kInvalidArgument, "{} {}: not a descriptor; write it like fd:3", option,
                value);
  }
  // What was passed has come through an exec; what tidevm opened itself by now would not.
  const int flags = ::fcntl(*number, F_GETFL);
  if (flags < 0 || (::fcntl(*number, F_GETFD) & FD_CLOEXEC) != 0) {
    return Fail(ErrorCode::kNotFound,
                "{} {}: descriptor {} is not open; whoever starts tidevm must leave it open (in a "
                "shell: {}<FILE)",
                option, value, *number, *number);
  }
  const int opposite = access == Access::kRead ? O_WRONLY : O_RDONLY;
  if ((flags & O_PATH) != 0 || (flags & O_ACCMODE) == opposite) {
    return Fail(ErrorCode::kInvalidArgument, "{} {}: descriptor {} is not open for {}; open it so",
                option, value, *number, access == Access::kRead ? "reading" : "writing");
  }
  if (::fcntl(*number, F_SETFD, FD_CLOEXEC) != 0) {
    return FailErrno(errno, "{} {}", option, value);
  }
  return UniqueFd(*number);
}

ActivationEnvironment ReadActivationEnvironment() {
  return {.pid = Variable("LISTEN_PID"),
          .count = Variable("LISTEN_FDS"),
          .names = Variable("LISTEN_FDNAMES")};
}

bool IsPassedSocket(std::string_view control) {
  return control == kActivated || IsDescriptorName(control);
}

Result<std::string> FindActivatedControl(const ActivationEnvironment& environment, pid_t self) {
  constexpr std::string_view kRemedy =
      "start tidevm through a .socket unit (tidevm@.socket), or give --control a path";
  if (environment.count.empty() || environment.pid.empty()) {
    return Fail(ErrorCode::kNotFound,
                "--control systemd: no socket was passed (LISTEN_FDS and LISTEN_PID are not both "
                "set); {}",
                kRemedy);
  }
  if (ParseNumber(environment.pid) != self) {
    return Fail(ErrorCode::kNotFound,
                "--control systemd: LISTEN_PID is {}, and this is process {}: the sockets are "
                "another's; {}",
                environment.pid, self, kRemedy);
  }
  const auto count = ParseNumber(environment.count);
  if (!count || *count < 1) {
    return Fail(ErrorCode::kNotFound,
                "--control systemd: LISTEN_FDS is {}, so there is no socket; {}", environment.count,
                kRemedy);
  }
  const auto index = *count == 1 ? std::optional(0) : IndexOfControl(environment.names);
  if (!index || *index >= *count) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "--control systemd: of {} sockets none is called \"{}\" (LISTEN_FDNAMES is \"{}\"); "
        "set FileDescriptorName={} in its .socket unit, or say which with --control fd:N",
        *count, kControlName, environment.names, kControlName);
  }
  return fmt::format("{}{}", kDescriptorPrefix, kFirstActivated + *index);
}

}  // namespace tidevm::machine
