// Numbers on the command line.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <system_error>

namespace tidevm::tidectl {

/// Decimal, nothing before or after it; nullopt: not one, or too large for T.
template <typename T>
std::optional<T> ParseNumber(const std::string& text) {
  T number = 0;
  const char* const end = text.data() + text.size();
  const auto [cursor, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && cursor == end ? std::optional(number) : std::nullopt;
}

}  // namespace tidevm::tidectl
