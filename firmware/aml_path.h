// Names in the ACPI namespace: "_STA", "\_SB.CPUS". ACPI 6.4, 20.2.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "firmware/bytes.h"

namespace tidevm::firmware::aml {

/// A NameString. Made from a literal, and then a name that ACPI does not allow does not compile;
/// segments shorter than four characters are padded with '_'.
class Path {
 public:
  /// One to four segments with '.' between them; a leading '\' means from the root.
  // A literal is a path wherever one is wanted, as in ASL.
  // NOLINTNEXTLINE(google-explicit-constructor)
  consteval Path(const char* literal) {
    std::string_view rest = literal;
    if (rest.starts_with('\\')) {
      root_ = true;
      rest.remove_prefix(1);
    }
    while (true) {
      const std::size_t dot = rest.find('.');
      AddSegment(rest.substr(0, dot));
      if (dot == std::string_view::npos) {
        break;
      }
      rest.remove_prefix(dot + 1);
    }
  }

  /// `letter` and the number as three hexadecimal digits: Numbered('C', 10) is C00A.
  /// `number` is below 4096.
  static constexpr Path Numbered(char letter, std::uint32_t number) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    Path path;
    const std::array<char, kSegmentSize> name = {
        letter, kDigits[(number >> 8) & 0xf], kDigits[(number >> 4) & 0xf], kDigits[number & 0xf]};
    path.AddSegment(std::string_view(name.data(), name.size()));
    return path;
  }

  /// Number of segments in what Numbered() can tell apart.
  static constexpr std::uint32_t kNumberedLimit = 4096;

  std::size_t segments() const { return segments_; }

  void AppendTo(Bytes& out) const {
    constexpr std::uint8_t kDualNamePrefix = 0x2e;
    constexpr std::uint8_t kMultiNamePrefix = 0x2f;
    if (root_) {
      AppendText(out, "\\");
    }
    if (segments_ == 2) {
      Append(out, kDualNamePrefix);
    } else if (segments_ > 2) {
      Append(out, kMultiNamePrefix);
      Append(out, static_cast<std::uint8_t>(segments_));
    }
    AppendText(out, std::string_view(text_.data(), segments_ * kSegmentSize));
  }

 private:
  static constexpr std::size_t kSegmentSize = 4;
  static constexpr std::size_t kMaxSegments = 4;

  constexpr Path() = default;

  constexpr void AddSegment(std::string_view name) {
    // In a constant expression a throw is a compile error, which is what it is for.
    if (name.empty() || name.size() > kSegmentSize || segments_ == kMaxSegments) {
      throw std::invalid_argument("a segment has 1 to 4 characters, a path at most 4 segments");
    }
    for (std::size_t i = 0; i < kSegmentSize; ++i) {
      const char c = i < name.size() ? name[i] : '_';
      const bool letter = (c >= 'A' && c <= 'Z') || c == '_';
      const bool digit = c >= '0' && c <= '9';
      if (!letter && (i == 0 || !digit)) {
        throw std::invalid_argument("a segment is of A-Z, _ and, not first, 0-9");
      }
      text_[segments_ * kSegmentSize + i] = c;
    }
    ++segments_;
  }

  std::array<char, kMaxSegments * kSegmentSize> text_{};
  std::size_t segments_ = 0;
  bool root_ = false;
};

}  // namespace tidevm::firmware::aml
