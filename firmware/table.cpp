#include "firmware/table.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "firmware/bytes.h"

namespace tidevm::firmware {
namespace {

constexpr std::size_t kLengthOffset = 4;
constexpr std::size_t kRevisionOffset = 8;
constexpr std::size_t kChecksumOffset = 9;
constexpr std::size_t kOemIdOffset = 10;
constexpr std::size_t kOemTableIdOffset = 16;
constexpr std::size_t kOemRevisionOffset = 24;
constexpr std::size_t kCreatorIdOffset = 28;
constexpr std::size_t kCreatorRevisionOffset = 32;

}  // namespace

Table::Table(std::string_view signature, std::uint8_t revision, std::size_t size) : bytes_(size) {
  PutText(0, signature);
  Put(kRevisionOffset, revision);
  PutText(kOemIdOffset, kOemId);
  PutText(kOemTableIdOffset, "TIDEVM  ");
  Put(kOemRevisionOffset, std::uint32_t{1});
  PutText(kCreatorIdOffset, "TIDE");
  Put(kCreatorRevisionOffset, std::uint32_t{1});
}

void Table::PutText(std::size_t offset, std::string_view text) {
  for (const char c : text) {
    bytes_[offset++] = static_cast<std::byte>(c);
  }
}

void Table::PutIoPort(std::size_t offset, std::uint16_t port) {
  constexpr std::uint8_t kSystemIo = 1;
  constexpr std::uint8_t kBits = 8;
  constexpr std::uint8_t kByteAccess = 1;
  Put(offset, kSystemIo);
  Put(offset + 1, kBits);
  Put(offset + 2, std::uint8_t{0});  // bit offset
  Put(offset + 3, kByteAccess);
  Put(offset + 4, std::uint64_t{port});
}

Bytes Table::Finish() && {
  Put(kLengthOffset, static_cast<std::uint32_t>(bytes_.size()));
  bytes_[kChecksumOffset] = Checksum(bytes_);
  return std::move(bytes_);
}

}  // namespace tidevm::firmware
