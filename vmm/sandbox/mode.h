// --seccomp.
#pragma once

#include <array>
#include <string_view>

namespace tidevm::sandbox {

enum class Mode { kOn, kLog, kOff };

inline constexpr std::array<std::string_view, 3> kModeNames = {"on", "log", "off"};  // by Mode

/// The run-times of AddressSanitizer and ThreadSanitizer make calls of their own, at any time and
/// on any thread, and that which counts lines writes files in the end: lists that have those too
/// would say nothing about tidevm.
#if defined(TIDEVM_HAS_ASAN) || defined(TIDEVM_HAS_TSAN) || defined(TIDEVM_HAS_GCOV)
inline constexpr bool kInstrumented = true;
#else
inline constexpr bool kInstrumented = false;
#endif

inline constexpr Mode kDefaultMode = kInstrumented ? Mode::kOff : Mode::kOn;

}  // namespace tidevm::sandbox
