#include "guest-tests/bare-metal/runtime/memory.h"

#include <cstdint>

// Compiled with -fno-builtin and -fno-tree-loop-distribute-patterns, or these would call
// themselves.
extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) { return memmove(to, from, size); }

void* memmove(void* to, const void* from, std::size_t size) {
  auto* const target = static_cast<std::uint8_t*>(to);
  const auto* const source = static_cast<const std::uint8_t*>(from);
  if (target < source) {
    for (std::size_t i = 0; i < size; ++i) {
      target[i] = source[i];
    }
  } else {
    for (std::size_t i = size; i > 0; --i) {
      target[i - 1] = source[i - 1];
    }
  }
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  auto* const target = static_cast<std::uint8_t*>(to);
  for (std::size_t i = 0; i < size; ++i) {
    target[i] = static_cast<std::uint8_t>(value);
  }
  return to;
}

int memcmp(const void* a, const void* b, std::size_t size) {
  const auto* const left = static_cast<const std::uint8_t*>(a);
  const auto* const right = static_cast<const std::uint8_t*>(b);
  for (std::size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) {
      return left[i] < right[i] ? -1 : 1;
    }
  }
  return 0;
}

}  // extern "C"
