// For the fuzz target: a 16550A once more, from its data sheet and from what uart.h says of where
// Uart differs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace tidevm::devices {

/// Says what each access must give, what is to come out at the host's end, and whether INTR is
/// high.
class UartModel {
 public:
  std::uint8_t Read(std::uint64_t offset);
  void Write(std::uint64_t offset, std::uint8_t value);

  /// How many of `count` bytes that are all `value` find room.
  std::size_t Input(std::size_t count, std::uint8_t value);
  /// The oldest output is gone, as much of it as `count`.
  std::string TakeOutput(std::size_t count);
  void Reset();

  bool interrupt() const { return causes() != 0; }
  std::size_t output_size() const { return output_.size(); }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::uint8_t causes() const;
  std::uint8_t InterruptId();
  std::uint8_t modem_levels() const;
  std::size_t fifo_capacity() const { return fifos_enabled_ ? 16 : 1; }
  bool divisor_latch() const { return (lcr_ & 0x80) != 0; }
  bool loopback() const { return (mcr_ & 0x10) != 0; }
  void Transmit(std::uint8_t value);
  void WriteModemControl(std::uint8_t value);
  void WriteFifoControl(std::uint8_t value);
  void Receive();  // from the wire, what there is room for

  std::uint8_t ier_ = 0;
  std::uint8_t lcr_ = 0;
  std::uint8_t mcr_ = 0;
  std::uint8_t scratch_ = 0;
  std::uint8_t divisor_[2] = {1, 0};
  std::uint8_t overrun_ = 0;
  std::uint8_t modem_deltas_ = 0;
  std::size_t trigger_ = 1;
  bool fifos_enabled_ = false;
  bool transmitter_interrupts_ = false;
  std::deque<std::uint8_t> fifo_;
  std::deque<std::uint8_t> wire_;
  std::string output_;
  bool transmitter_busy_ = false;  // the host is behind
  std::uint64_t dropped_ = 0;
};

}  // namespace tidevm::devices
