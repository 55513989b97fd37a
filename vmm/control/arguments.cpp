#include "vmm/control/arguments.h"

#include <algorithm>
#include <limits>

namespace tidevm::control {
namespace {

std::string_view TypeName(ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return "string";
    case ArgumentType::kInteger:
      return "integer";
    case ArgumentType::kBoolean:
      return "boolean";
    case ArgumentType::kStringList:
      return "array";
  }
  return "";
}

bool HasType(const Json& value, ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return value.is_string();
    case ArgumentType::kInteger:
      // An unsigned number above the signed range would wrap in IntegerArgument().
      return value.is_number_integer() &&
             !(value.is_number_unsigned() &&
               value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max());
    case ArgumentType::kBoolean:
      return value.is_boolean();
    case ArgumentType::kStringList:
      return value.is_array();
  }
  return false;
}

std::optional<QmpError> CheckType(std::string_view name, ArgumentType type, const Json& value) {
  if (!HasType(value, type)) {
    return QmpError{
        .desc = fmt::format("Invalid parameter type for '{}', expected: {}", name, TypeName(type))};
  }
  if (type == ArgumentType::kStringList) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto error = CheckType(fmt::format("{}[{}]", name, i), ArgumentType::kString, value[i])) {
        return error;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<QmpError> CheckArguments(std::span<const ArgumentSpec> specs, const Json& arguments) {
  for (const ArgumentSpec& spec : specs) {
    const auto value = arguments.find(spec.name);
    if (value == arguments.end()) {
      if (spec.required) {
        return QmpError{.desc = fmt::format("Parameter '{}' is missing", spec.name)};
      }
    } else if (auto error = CheckType(spec.name, spec.type, *value)) {
      return error;
    }
  }
  for (const auto& [key, value] : arguments.items()) {
    if (std::none_of(specs.begin(), specs.end(),
                     [&name = key](const ArgumentSpec& spec) { return spec.name == name; })) {
      return QmpError{.desc = fmt::format("Parameter '{}' is unexpected", key)};
    }
  }
  return std::nullopt;
}

std::optional<std::string> StringArgument(const Json& arguments, std::string_view name) {
  const auto value = arguments.find(name);
  return value == arguments.end() ? std::nullopt : std::optional(value->get<std::string>());
}

std::optional<std::int64_t> IntegerArgument(const Json& arguments, std::string_view name) {
  const auto value = arguments.find(name);
  return value == arguments.end() ? std::nullopt : std::optional(value->get<std::int64_t>());
}

tl::expected<Deadline, QmpError> DeadlineArgument(const Json& arguments) {
  const auto value = IntegerArgument(arguments, "timeout-ms");
  if (!value) {
    return Deadline();
  }
  if (*value < 1 || *value > kLongestDeadline.count()) {
    return tl::make_unexpected(QmpError{
        .desc = fmt::format("Parameter 'timeout-ms' expects milliseconds from 1 to {}, not {}; "
                            "without it the deadline is {}",
                            kLongestDeadline.count(), *value, kDefaultDeadline.count())});
  }
  return std::chrono::milliseconds(*value);
}

}  // namespace tidevm::control
