// A 16550A serial port.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/byte_ring.h"
#include "vmm/devices/uart_registers.h"

namespace tidevm::devices {

/// A 16550A with 16-byte FIFOs: eight ports, byte accesses only (a wider read gives all ones, a
/// wider write vanishes). Source: the data sheets named in uart_registers.h. Where it differs:
///  - Time does not pass in it. A byte written is sent at once; a byte received below the trigger
///    level is a character time-out at once; baud rate, parity and break have no effect.
///  - Sent bytes go to an output ring. With less than a FIFO's room in it the transmitter counts as
///    busy (THRE and TEMT read 0, no interrupt) until the host has made room, so a driver that
///    minds them loses nothing. A byte written to a full ring all the same is dropped and counted.
///  - INTR drops for an instant whenever a new cause comes up while it is high, so that an edge
///    triggered pin sees every one of them; the chip leaves it high. A cause is new when it was not
///    there before, and also when what it told of was dealt with and is true again: every byte
///    read is a new "data available" for the rest, every FIFO's worth written in answer to a
///    "transmitter empty", or single byte without having been asked, is a new one.
///  - In loopback the input waits; the chip would lose it.
///  - INTR does not depend on OUT2: the gate is the PC's, not the chip's.
///
/// Threads: Read() and Write() on vCPU threads, several at once. The host side belongs to the
/// machine thread. Everything is under mutex_, a leaf but for InterruptLine::Set(), which is called
/// under it so that levels arrive in their order; Set() must not call back.
class Uart final : public IoDevice {
 public:
  static constexpr std::size_t kOutputCapacity = std::size_t{256} * 1024;
  static constexpr std::size_t kOutputResumeRoom = 4096;  // after it was full
  static constexpr std::size_t kBacklogCapacity = 64;     // received, not yet in the FIFO
  static constexpr std::chrono::milliseconds kOutputDelay{1};

  /// Fails only where the process is out of descriptors.
  static Result<std::unique_ptr<Uart>> Create(InterruptLine& interrupt);
  Uart(InterruptLine& interrupt, UniqueFd wake);

  // The guest's side.
  std::string_view Name() const override { return "uart"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override;
  void Write(std::uint64_t offset, std::span<const std::byte> data) override;

  // The host's side.
  /// Becomes readable when there is something to do: output in a ring that was found empty (at most
  /// kOutputDelay late, so that a line is one wake-up and not eighty), or room for input after
  /// PushInput() had to leave some. Not for each byte. AcknowledgeWake() first, then do it.
  int wake_fd() const { return wake_.get(); }
  void AcknowledgeWake();
  /// Makes wake_fd() readable in a moment, for a host that stops with output left. Any thread.
  void RequestWake() { Wake(kOutputDelay); }

  /// The oldest output, as far as it lies in one piece; valid until ConsumeOutput(). Empty: none,
  /// and wake_fd() tells of the next.
  std::span<const std::byte> PeekOutput();
  void ConsumeOutput(std::size_t count);

  /// Takes as much of the front as there is room for, and says how much. Less than all: wake_fd()
  /// tells when to come back.
  std::size_t PushInput(std::span<const std::byte> bytes);

  /// The guest was reset: registers as after power-on, input gone, output kept.
  void Reset();

  /// Bytes that the guest wrote while the ring was full. Any thread.
  std::uint64_t dropped_output() const;

 private:
  using Causes = std::uint8_t;  // bits as in IER

  struct Registers {
    std::uint8_t ier = 0;
    std::uint8_t lcr = 0;
    std::uint8_t mcr = 0;
    std::uint8_t scratch = 0;
    std::uint8_t divisor_low = 1;  // 115200; never 0, Linux's earlycon divides by it
    std::uint8_t divisor_high = 0;
    std::uint8_t line_errors = 0;
    std::uint8_t modem_deltas = 0;
    std::uint8_t trigger = 1;
    bool fifos_enabled = false;
    bool transmit_pending = false;  // THRE interrupt latched
    std::size_t burst_left = 0;     // bytes of the FIFO's worth that IIR's THRE has asked for
  };

  // All of these with mutex_ held.
  std::uint8_t ReadRegister(std::uint64_t offset);
  void WriteRegister(std::uint64_t offset, std::uint8_t value);
  std::uint8_t ReadData();
  std::uint8_t ReadInterruptId();
  std::uint8_t ReadLineStatus();
  std::uint8_t ReadModemStatus();
  void Transmit(std::byte value);
  void Store(std::byte value);
  void ReceiveLooped(std::byte value);
  void WriteInterruptEnable(std::uint8_t value);
  void WriteFifoControl(std::uint8_t value);
  void WriteModemControl(std::uint8_t value);
  std::uint8_t ModemLevels() const;
  std::size_t ReceiveCapacity() const;
  bool looped() const { return (registers_.mcr & uart::kMcrLoop) != 0; }
  void Refill();
  Causes PendingCauses() const;
  void UpdateInterrupt(Causes renewed = 0);

  void Wake(std::chrono::nanoseconds delay);  // mutex_ not needed

  InterruptLine& interrupt_;
  const UniqueFd wake_;  // a timerfd

  mutable std::mutex mutex_;  // guards all below
  Registers registers_;
  ByteRing fifo_{uart::kFifoSize};
  ByteRing backlog_{kBacklogCapacity};
  ByteRing output_{kOutputCapacity};
  Causes asserted_ = 0;  // the line is high where it is not 0
  bool transmit_blocked_ = false;
  bool output_wake_armed_ = true;
  bool input_wake_armed_ = false;
  std::uint64_t dropped_output_ = 0;
};

}  // namespace tidevm::devices
