// --seccomp.
#pragma once

#include <array>
#include <string_view>

namespace tidevm::sandbox {

enum class Mode { kOn, kLog, kOff };

inline constexpr std::array<std::string_view, 3> kModeNames = {"on", "log", "off"};  // by Mode

/// The run-times of AddressSanitizer and ThreadSanitizer make calls of their own, at any time and
/// on any thread: lists that have them too would say nothing about tidevm.
#if defined(TIDEVM_HAS_ASAN) || defined(TIDEVM_HAS_TSAN)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline constexpr Mode kDefaultMode = kSanitized ? Mode::kOff : Mode::kOn;

}  // namespace tidevm::sandbox
