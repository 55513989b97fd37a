// What _STA answers.
#pragma once

#include <cstdint>

namespace tidevm::firmware {

/// Present, enabled, shown, functioning. ACPI 6.4, 6.3.7.
inline constexpr std::uint64_t kPresentAndWorking = 0xf;

}  // namespace tidevm::firmware
