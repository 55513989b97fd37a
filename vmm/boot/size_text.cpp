#include "vmm/boot/size_text.h"

#include <spdlog/fmt/fmt.h>

#include <cstddef>

namespace tidevm::boot {
namespace {

constexpr std::uint64_t kMebibyte = 1U << 20;

}  // namespace

std::string Grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t left = digits.size(); left > 3;) {
    left -= 3;
    digits.insert(left, 1, ',');
  }
  return digits;
}

std::string SizeText(std::uint64_t bytes) {
  if (bytes != 0 && bytes % kMebibyte == 0) {
    return fmt::format("{} MiB", Grouped(bytes / kMebibyte));
  }
  return fmt::format("{} bytes", Grouped(bytes));
}

std::uint64_t MebibytesFor(std::uint64_t bytes) {
  return bytes / kMebibyte + (bytes % kMebibyte == 0 ? 0 : 1);
}

}  // namespace tidevm::boot
