// --seccomp.
#pragma once

#include <array>
#include <string_view>

namespace tidevm::sandbox {

enum class Mode { kOn, kLog, kOff };

inline constexpr std::array<std::string_view, 3> kModeNames = {"on", "log", "off"};  // by Mode

/// The run-times of AddressSanitizer and ThreadSanitizer make calls of their own, at any time and
/// on any thread: lists that have them too would say nothing about tidevm.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

inline constexpr Mode kDefaultMode = kSanitized ? Mode::kOff : Mode::kOn;

}  // namespace tidevm::sandbox
