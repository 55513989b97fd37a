// How a fuzz target says that something is wrong.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string_view>
#include <utility>

namespace tidevm::fuzzing {

/// Prints `what` and aborts, which a fuzzer takes for a finding and a test for a failure.
[[noreturn]] void Found(std::string_view what);

template <typename... Args>
void Require(bool holds, fmt::format_string<Args...> what, Args&&... args) {
  if (!holds) {
    Found(fmt::format(what, std::forward<Args>(args)...));
  }
}

}  // namespace tidevm::fuzzing
