// Bytes as text, so that a failed comparison can be read.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <span>
#include <string>

namespace tidevm::firmware {

/// "08 5f 55": what a comparison in a test shows.
inline std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<unsigned>(byte));
  }
  return text;
}

}  // namespace tidevm::firmware
