// Little-endian bytes, the one output of this layer.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tidevm::firmware {

using Bytes = std::vector<std::byte>;

/// Appends `value`, lowest byte first.
template <std::unsigned_integral T>
void Append(Bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
}

inline void Append(Bytes& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// Appends the characters, without a terminator.
inline void AppendText(Bytes& out, std::string_view text) {
  for (const char c : text) {
    out.push_back(static_cast<std::byte>(c));
  }
}

/// What makes `bytes` sum to 0 modulo 256 when it replaces a zero byte among them.
inline std::byte Checksum(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) {
    sum += std::to_integer<unsigned>(byte);
  }
  return static_cast<std::byte>(0U - sum);
}

}  // namespace tidevm::firmware
