// A system description table under construction: the header, fields at offsets, what is appended.
// ACPI 6.4, 5.2.6.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "firmware/bytes.h"

namespace tidevm::firmware {

inline constexpr std::string_view kOemId = "TIDEVM";
inline constexpr std::size_t kTableHeaderSize = 36;

class Table {
 public:
  /// `signature` has four characters. `size` counts the header; what lies behind the header is 0.
  Table(std::string_view signature, std::uint8_t revision, std::size_t size = kTableHeaderSize);

  /// Writes `value` at `offset` from the start of the table, inside of its current size.
  template <std::unsigned_integral T>
  void Put(std::size_t offset, T value) {
    Bytes encoded;
    firmware::Append(encoded, value);
    std::ranges::copy(encoded, bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void PutText(std::size_t offset, std::string_view text);
  /// A Generic Address Structure (5.2.3.2) for one byte-wide I/O port.
  void PutIoPort(std::size_t offset, std::uint16_t port);

  template <std::unsigned_integral T>
  void Append(T value) {
    firmware::Append(bytes_, value);
  }
  void Append(std::span<const std::byte> bytes) { firmware::Append(bytes_, bytes); }

  /// Fills in length and checksum and gives the table away.
  Bytes Finish() &&;

 private:
  Bytes bytes_;
};

}  // namespace tidevm::firmware
