// What the device tests share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/devices/bus.h"
#include "vmm/devices/uart.h"

namespace tidevm::devices {

/// Remembers its level and counts the rises, as an edge-triggered pin would.
class RecordingLine final : public InterruptLine {
 public:
  void Set(bool asserted) override {
    rises_ += asserted && !high_ ? 1U : 0U;
    high_ = asserted;
  }
  bool high() const { return high_; }
  unsigned rises() const { return rises_; }
  /// Since the last call.
  unsigned TakeRises() { return std::exchange(rises_, 0U); }

 private:
  bool high_ = false;
  unsigned rises_ = 0;
};

inline std::uint8_t ReadByte(IoDevice& device, std::uint64_t offset) {
  std::array<std::byte, 1> data{};
  device.Read(offset, data);
  return std::to_integer<std::uint8_t>(data[0]);
}

inline void WriteByte(IoDevice& device, std::uint64_t offset, std::uint8_t value) {
  const std::array<std::byte, 1> data{std::byte{value}};
  device.Write(offset, data);
}

/// Reads `width` bytes into a buffer that held 0x5a.
inline std::vector<std::byte> ReadWide(IoDevice& device, std::uint64_t offset, std::size_t width) {
  std::vector<std::byte> data(width, std::byte{0x5a});
  device.Read(offset, data);
  return data;
}

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string AsText(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte value : bytes) {
    text.push_back(std::to_integer<char>(value));
  }
  return text;
}

/// All output that waits.
inline std::string TakeOutput(Uart& uart) {
  std::string text;
  for (auto piece = uart.PeekOutput(); !piece.empty(); piece = uart.PeekOutput()) {
    text += AsText(piece);
    uart.ConsumeOutput(piece.size());
  }
  return text;
}

inline void Print(Uart& uart, std::string_view text) {
  for (const char character : text) {
    WriteByte(uart, uart::kData, static_cast<std::uint8_t>(character));
  }
}

}  // namespace tidevm::devices
