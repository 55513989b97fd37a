// What users write behind --timeout.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "fuzzing/require.h"
#include "tools/tidectl/duration.h"

namespace tidevm::tidectl {
namespace {

using fuzzing::Require;

/// In milliseconds; nullopt where it is not digits, with a point among or before or behind them,
/// and a unit.
std::optional<long double> MeaningOf(const std::string& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string number = text.substr(0, end);
  const std::string unit = text.substr(end);
  const auto points = static_cast<std::size_t>(std::count(number.begin(), number.end(), '.'));
  if (points > 1 || number.size() == points) {
    return std::nullopt;
  }
  const long double value = std::strtold(number.c_str(), nullptr);
  if (unit == "ms") {
    return value;
  }
  if (unit == "s") {
    return value * 1000;
  }
  if (unit == "m") {
    return value * 60'000;
  }
  return unit == "h" ? std::optional(value * 3'600'000) : std::nullopt;
}

void TryDuration(const std::string& text) {
  constexpr long double kYear = 365.0L * 24 * 3'600'000;
  const auto duration = ParseDuration(text);
  if (!duration) {
    Require(duration.error().message.starts_with("\"" + text + "\""), "not named: {}",
            duration.error().message);
  }
  const auto meaning = MeaningOf(text);
  // Right at a limit the rounding of a double decides.
  const long double margin = meaning ? *meaning * 1e-12L : 0;
  if (duration) {
    const auto count = static_cast<long double>(duration->count());
    Require(meaning.has_value(), "{} is taken for {} ms", text, duration->count());
    Require(count >= 1 && count <= kYear, "{} is {} ms", text, duration->count());
    Require(*meaning + margin >= count && *meaning - margin < count + 1, "{} is taken for {} ms",
            text, duration->count());
    Require(!FormatDuration(*duration).empty(), "nothing to show for {}", text);
  } else if (meaning) {
    Require(*meaning - margin < 1 || *meaning + margin > kYear, "{} is refused", text);
  }
}

}  // namespace
}  // namespace tidevm::tidectl

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidevm::tidectl::TryDuration(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
