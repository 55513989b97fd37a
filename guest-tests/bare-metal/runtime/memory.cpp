#include "guest-tests/bare-metal/runtime/memory.h"

#include <cstdint>

// String instructions, for the compiler makes calls of these very functions out of loops.
extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  void* target = to;
  asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  const auto distance =
      reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
  if (distance >= size) {
    return memcpy(to, from, size);
  }
  void* target = static_cast<std::uint8_t*>(to) + size - 1;
  const void* source = static_cast<const std::uint8_t*>(from) + size - 1;
  asm volatile("std\nrep movsb\ncld" : "+D"(target), "+S"(source), "+c"(size) : : "memory", "cc");
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  void* target = to;
  asm volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(value) : "memory");
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
