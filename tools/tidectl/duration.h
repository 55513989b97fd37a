// Durations as people write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "tidevm/result.h"

namespace tidevm::tidectl {

/// "500ms", "5s", "2m", "1h"; the number may have a fraction ("1.5s"). A unit is required, zero is
/// not a duration.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

/// Three to five significant figures in the unit that suits: "412 us", "93.1 ms", "1.204 s".
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace tidevm::tidectl
