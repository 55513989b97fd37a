#include "tools/tidectl/duration.h"

#include <array>
#include <charconv>
#include <utility>

namespace tidevm::tidectl {

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}}};
  constexpr double kLongest = 365.0 * 24 * 3600e3;
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [cursor, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error == std::errc{}) {
    const std::string_view unit(cursor, static_cast<std::size_t>(end - cursor));
    for (const auto& [name, factor] : kUnits) {
      const double milliseconds = number * factor;
      if (unit == name && milliseconds >= 1 && milliseconds <= kLongest) {
        return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
      }
    }
  }
  return Fail(ErrorCode::kInvalidArgument,
              "\"{}\" is not a duration; write it like 500ms, 5s, 2m or 1h", text);
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e6) {
    return fmt::format("{:.0f} us", ns / 1e3);
  }
  if (ns < 1e9) {
    return fmt::format("{:.1f} ms", ns / 1e6);
  }
  return fmt::format("{:.3f} s", ns / 1e9);
}

}  // namespace tidevm::tidectl
