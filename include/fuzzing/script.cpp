#include "fuzzing/script.h"

#include <algorithm>

namespace tidevm::fuzzing {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::optional<unsigned> DigitOf(char c, unsigned base) {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  if (base == 16 && c >= 'a' && c <= 'f') {
    return static_cast<unsigned>(c - 'a' + 10);
  }
  return std::nullopt;
}

}  // namespace

std::optional<char> Script::Next() {
  while (!rest_.empty()) {
    const char c = rest_.front();
    if (c == '#') {
      Skip(std::min(rest_.find('\n'), rest_.size()));
    } else if (IsLetter(c)) {
      Skip(static_cast<std::size_t>(std::ranges::find_if_not(rest_, IsLetter) - rest_.begin()));
      return c;
    } else {
      Skip(1);
    }
  }
  return std::nullopt;
}

std::uint64_t Script::Number(std::uint64_t absent) {
  Skip(std::min(rest_.find_first_not_of(' '), rest_.size()));
  unsigned base = 10;
  if (rest_.starts_with("0x")) {
    base = 16;
    Skip(2);
  } else if (rest_.empty() || !DigitOf(rest_.front(), base)) {
    return absent;
  }
  std::uint64_t value = 0;
  while (!rest_.empty()) {
    const auto digit = DigitOf(rest_.front(), base);
    if (!digit) {
      break;
    }
    value = value * base + *digit;
    Skip(1);
  }
  return value;
}

}  // namespace tidevm::fuzzing
