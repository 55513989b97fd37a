// The guest's side of the serial port: registers and interrupts. The host's: uart_host.cpp.
#include "vmm/devices/uart.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

namespace tidevm::devices {

using namespace uart;

Uart::Uart(InterruptLine& interrupt, UniqueFd wake)
    : interrupt_(interrupt), wake_(std::move(wake)) {}

void Uart::Read(std::uint64_t offset, std::span<std::byte> data) {
  if (data.size() != 1 || offset >= kBlockSize) {
    std::ranges::fill(data, std::byte{0xff});
    return;
  }
  const std::lock_guard lock(mutex_);
  data[0] = std::byte{ReadRegister(offset)};
}

void Uart::Write(std::uint64_t offset, std::span<const std::byte> data) {
  if (data.size() != 1 || offset >= kBlockSize) {
    return;
  }
  const std::lock_guard lock(mutex_);
  WriteRegister(offset, std::to_integer<std::uint8_t>(data[0]));
}

std::uint8_t Uart::ReadRegister(std::uint64_t offset) {
  const bool divisor_latch = (registers_.lcr & kLcrDivisorLatch) != 0;
  switch (offset) {
    case kData:
      return divisor_latch ? registers_.divisor_low : ReadData();
    case kInterruptEnable:
      return divisor_latch ? registers_.divisor_high : registers_.ier;
    case kInterruptId:
      return ReadInterruptId();
    case kLineControl:
      return registers_.lcr;
    case kModemControl:
      return registers_.mcr;
    case kLineStatus:
      return ReadLineStatus();
    case kModemStatus:
      return ReadModemStatus();
    default:
      return registers_.scratch;
  }
}

void Uart::WriteRegister(std::uint64_t offset, std::uint8_t value) {
  const bool divisor_latch = (registers_.lcr & kLcrDivisorLatch) != 0;
  switch (offset) {
    case kData:
      if (divisor_latch) {
        registers_.divisor_low = value;
      } else {
        Transmit(std::byte{value});
      }
      break;
    case kInterruptEnable:
      if (divisor_latch) {
        registers_.divisor_high = value;
      } else {
        WriteInterruptEnable(value);
      }
      break;
    case kFifoControl:
      WriteFifoControl(value);
      break;
    case kLineControl:
      registers_.lcr = value;
      break;
    case kModemControl:
      WriteModemControl(value);
      break;
    case kScratch:
      registers_.scratch = value;
      break;
    default:  // LSR and MSR: the data sheet keeps writes to them for the factory
      break;
  }
}

std::uint8_t Uart::ReadData() {
  if (fifo_.empty()) {
    return 0;
  }
  const std::byte value = fifo_.Pop();
  Refill();
  UpdateInterrupt(kIerReceive);
  return std::to_integer<std::uint8_t>(value);
}

std::uint8_t Uart::ReadInterruptId() {
  const Causes causes = PendingCauses();
  std::uint8_t id = kIirNone;
  if ((causes & kIerLineStatus) != 0) {
    id = kIirLineStatus;
  } else if ((causes & kIerReceive) != 0) {
    const bool triggered = !registers_.fifos_enabled || fifo_.size() >= registers_.trigger;
    id = triggered ? kIirReceive : kIirTimeout;
  } else if ((causes & kIerTransmit) != 0) {
    id = kIirTransmit;
    registers_.transmit_pending = false;
    registers_.burst_left = registers_.fifos_enabled ? kFifoSize : 1;
    UpdateInterrupt();
  } else if ((causes & kIerModem) != 0) {
    id = kIirModem;
  }
  return registers_.fifos_enabled ? id | kIirFifosEnabled : id;
}

std::uint8_t Uart::ReadLineStatus() {
  std::uint8_t status = registers_.line_errors;
  registers_.line_errors = 0;
  if (!fifo_.empty()) {
    status |= kLsrDataReady;
  }
  if (!transmit_blocked_) {
    status |= kLsrTransmitEmpty | kLsrTransmitterIdle;
  }
  UpdateInterrupt();
  return status;
}

std::uint8_t Uart::ReadModemStatus() {
  const std::uint8_t status = ModemLevels() | registers_.modem_deltas;
  registers_.modem_deltas = 0;
  UpdateInterrupt();
  return status;
}

void Uart::Transmit(std::byte value) {
  if (looped()) {
    ReceiveLooped(value);
  } else {
    Store(value);
  }
  // A driver that saw THRE writes a whole FIFO without looking again.
  transmit_blocked_ = transmit_blocked_ || output_.free() < kFifoSize;
  registers_.transmit_pending = !transmit_blocked_;
  if (registers_.burst_left > 0) {
    --registers_.burst_left;
    UpdateInterrupt();
  } else {
    UpdateInterrupt(kIerTransmit);
  }
}

void Uart::Store(std::byte value) {
  if (!output_.Push(value)) {
    if (dropped_output_++ == 0) {
      spdlog::warn("serial output is being lost: nobody reads it, and the guest does not wait");
    }
    return;
  }
  if (output_.size() == kOutputCapacity / 2) {
    Wake({});  // what was put off is urgent now
  } else if (output_wake_armed_) {
    output_wake_armed_ = false;
    Wake(kOutputDelay);
  }
}

// With a full FIFO the byte is lost; without FIFOs it takes the place of the one before (data
// sheet, line status register, bit 1).
void Uart::ReceiveLooped(std::byte value) {
  if (fifo_.size() >= ReceiveCapacity()) {
    registers_.line_errors |= kLsrOverrun;
    if (registers_.fifos_enabled) {
      return;
    }
    fifo_.Drop(1);
  }
  fifo_.Push(value);
}

void Uart::WriteInterruptEnable(std::uint8_t value) {
  const std::uint8_t changed = registers_.ier ^ (value & kIerMask);
  registers_.ier = value & kIerMask;
  if ((changed & kIerTransmit) != 0) {
    // Enabled while the transmitter is empty: that is an interrupt. Linux tests for it at start-up
    // and relies on it whenever it has something to send.
    registers_.transmit_pending = (registers_.ier & kIerTransmit) != 0 && !transmit_blocked_;
  }
  UpdateInterrupt();
}

void Uart::WriteFifoControl(std::uint8_t value) {
  const bool enable = (value & kFcrEnable) != 0;
  // Going from one mode to the other empties the FIFOs; the other bits count only with FIFOs on.
  const bool clear =
      enable != registers_.fifos_enabled || (enable && (value & kFcrClearReceive) != 0);
  registers_.fifos_enabled = enable;
  if (enable) {
    constexpr std::array<std::uint8_t, 4> kTriggers{1, 4, 8, 14};
    registers_.trigger = kTriggers.at(value >> kFcrTriggerShift);
  }
  if (clear) {
    fifo_.Drop(fifo_.size());
    Refill();
    UpdateInterrupt(kIerReceive);
  }
}

void Uart::WriteModemControl(std::uint8_t value) {
  const std::uint8_t before = ModemLevels();
  registers_.mcr = value & kMcrMask;
  const std::uint8_t after = ModemLevels();
  // The deltas lie four bits below their levels, in the same order; RI's tells of its end only.
  const std::uint8_t changed = before ^ after;
  const auto deltas = static_cast<std::uint8_t>(changed >> 4);
  registers_.modem_deltas |= deltas & (kMsrDeltaCts | kMsrDeltaDsr | kMsrDeltaCarrier);
  if ((changed & before & kMsrRing) != 0) {
    registers_.modem_deltas |= kMsrTrailingRing;
  }
  Refill();
  UpdateInterrupt();
}

std::uint8_t Uart::ModemLevels() const {
  if (!looped()) {
    return kMsrCts | kMsrDsr | kMsrCarrier;  // a peer that is always there
  }
  const std::uint8_t mcr = registers_.mcr;
  std::uint8_t levels = 0;
  levels |= (mcr & kMcrRts) != 0 ? kMsrCts : 0;
  levels |= (mcr & kMcrDtr) != 0 ? kMsrDsr : 0;
  levels |= (mcr & kMcrOut1) != 0 ? kMsrRing : 0;
  levels |= (mcr & kMcrOut2) != 0 ? kMsrCarrier : 0;
  return levels;
}

std::size_t Uart::ReceiveCapacity() const { return registers_.fifos_enabled ? kFifoSize : 1; }

void Uart::Refill() {
  if (!looped()) {
    while (!backlog_.empty() && fifo_.size() < ReceiveCapacity()) {
      fifo_.Push(backlog_.Pop());
    }
  }
  if (input_wake_armed_ && backlog_.size() <= kBacklogCapacity / 2) {
    input_wake_armed_ = false;
    Wake({});
  }
}

Uart::Causes Uart::PendingCauses() const {
  Causes causes = 0;
  const auto add = [&causes](bool pending, Causes cause) {
    if (pending) {
      causes |= cause;
    }
  };
  add(!fifo_.empty(), kIerReceive);
  add(registers_.transmit_pending, kIerTransmit);
  add(registers_.line_errors != 0, kIerLineStatus);
  add(registers_.modem_deltas != 0, kIerModem);
  return static_cast<Causes>(causes & registers_.ier);
}

void Uart::UpdateInterrupt(Causes renewed) {
  const Causes pending = PendingCauses();
  const bool fresh = (pending & (~asserted_ | renewed)) != 0;
  if (asserted_ != 0 && (fresh || pending == 0)) {
    interrupt_.Set(false);
  }
  if (fresh) {
    interrupt_.Set(true);
  }
  asserted_ = pending;
}

}  // namespace tidevm::devices
