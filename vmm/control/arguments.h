// What arguments a command takes, and the check of a whole set of them before anything happens.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "tidevm/vcpu_request.h"
#include "vmm/control/qmp_message.h"

namespace tidevm::control {

enum class ArgumentType { kString, kInteger, kBoolean, kStringList };

struct ArgumentSpec {
  std::string_view name;
  ArgumentType type = ArgumentType::kString;
  bool required = true;
};

/// The first thing that is wrong with `arguments` (an object), worded as QEMU words it.
std::optional<QmpError> CheckArguments(std::span<const ArgumentSpec> specs, const Json& arguments);

// For arguments that CheckArguments() has passed: absent is nullopt.
std::optional<std::string> StringArgument(const Json& arguments, std::string_view name);
std::optional<std::int64_t> IntegerArgument(const Json& arguments, std::string_view name);

/// `timeout-ms`, which every command that starts operations takes: absent is the machine's default.
/// Refused outside 1 .. kLongestDeadline.
tl::expected<Deadline, QmpError> DeadlineArgument(const Json& arguments);

}  // namespace tidevm::control
