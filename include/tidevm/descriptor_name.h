// "fd:N": how an option names a descriptor that whoever started this process left open for it.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace tidevm {

inline constexpr std::string_view kDescriptorPrefix = "fd:";

inline bool IsDescriptorName(std::string_view text) { return text.starts_with(kDescriptorPrefix); }

/// N; nullopt: it is not such a name, N is no number, or one of 0, 1 and 2, which are the process's
/// own standard streams.
inline std::optional<int> DescriptorOf(std::string_view text) {
  constexpr int kFirst = 3;
  if (!IsDescriptorName(text)) {
    return std::nullopt;
  }
  text.remove_prefix(kDescriptorPrefix.size());
  int number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  return error == std::errc{} && end == last && number >= kFirst ? std::optional(number)
                                                                 : std::nullopt;
}

}  // namespace tidevm
