// Inputs of fuzz targets that are stories: what happens, one thing after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tidevm::fuzzing {

/// Reads commands like "write 0x4 1 8": a word, of which the first letter counts (a capital is
/// another letter), and numbers behind it, decimal or 0x... What is neither is skipped, and so is
/// the rest of a line after '#'. Every input is some script, so that nothing a fuzzer changes is
/// lost; and one can be read, or written, by hand.
class Script {
 public:
  explicit Script(std::string_view text) : rest_(text) {}

  /// The next command's letter; nullopt at the end.
  std::optional<char> Next();

  /// The next number of this command, modulo 2^64; `absent` where it has no more.
  std::uint64_t Number(std::uint64_t absent = 0);

 private:
  void Skip(std::size_t count) { rest_.remove_prefix(count); }

  std::string_view rest_;
};

/// Each target that reads scripts says what commands there are, for new ones to be made of. In them
/// '#' is a digit from 0 to 4, '%' a hexadecimal one, '$' a number at some edge.
std::span<const std::string_view> Vocabulary();

}  // namespace tidevm::fuzzing
