#include "vmm/devices/uart_model_fuzz_util.h"

#include <algorithm>

#include "vmm/devices/uart.h"

namespace tidevm::devices {

std::uint8_t UartModel::Read(std::uint64_t offset) {
  switch (offset) {
    case 0: {
      if (divisor_latch()) {
        return divisor_[0];
      }
      if (fifo_.empty()) {
        return 0;
      }
      const std::uint8_t value = fifo_.front();
      fifo_.pop_front();
      Receive();
      return value;
    }
    case 1:
      return divisor_latch() ? divisor_[1] : ier_;
    case 2:
      return InterruptId();
    case 3:
      return lcr_;
    case 4:
      return mcr_;
    case 5: {
      const int ready = fifo_.empty() ? 0 : 0x01;
      const int empty = transmitter_busy_ ? 0 : 0x60;
      return static_cast<std::uint8_t>(std::exchange(overrun_, std::uint8_t{0}) | ready | empty);
    }
    case 6:
      return static_cast<std::uint8_t>(modem_levels() |
                                       std::exchange(modem_deltas_, std::uint8_t{0}));
    default:
      return scratch_;
  }
}

void UartModel::Write(std::uint64_t offset, std::uint8_t value) {
  switch (offset) {
    case 0:
      if (divisor_latch()) {
        divisor_[0] = value;
      } else {
        Transmit(value);
      }
      break;
    case 1:
      if (divisor_latch()) {
        divisor_[1] = value;
        break;
      }
      if (((ier_ ^ value) & 2) != 0) {
        transmitter_interrupts_ = (value & 2) != 0 && !transmitter_busy_;
      }
      ier_ = value & 0x0f;
      break;
    case 2:
      WriteFifoControl(value);
      break;
    case 3:
      lcr_ = value;
      break;
    case 4:
      WriteModemControl(value);
      break;
    case 7:
      scratch_ = value;
      break;
    default:
      break;
  }
}

std::size_t UartModel::Input(std::size_t count, std::uint8_t value) {
  const std::size_t room =
      Uart::kBacklogCapacity - wire_.size() + (loopback() ? 0 : fifo_capacity() - fifo_.size());
  const std::size_t taken = std::min(count, room);
  wire_.insert(wire_.end(), taken, value);
  Receive();
  return taken;
}

std::string UartModel::TakeOutput(std::size_t count) {
  std::string taken = output_.substr(0, count);
  output_.erase(0, taken.size());
  if (transmitter_busy_ && Uart::kOutputCapacity - output_.size() >= Uart::kOutputResumeRoom) {
    transmitter_busy_ = false;
    transmitter_interrupts_ = true;
  }
  return taken;
}

/// All but the output.
void UartModel::Reset() {
  UartModel fresh;
  fresh.output_ = std::move(output_);
  fresh.transmitter_busy_ = transmitter_busy_;
  fresh.dropped_ = dropped_;
  *this = std::move(fresh);
}

std::uint8_t UartModel::causes() const {
  int causes = 0;
  causes |= fifo_.empty() ? 0 : 1;
  causes |= transmitter_interrupts_ ? 2 : 0;
  causes |= overrun_ != 0 ? 4 : 0;
  causes |= modem_deltas_ != 0 ? 8 : 0;
  return static_cast<std::uint8_t>(causes & ier_);
}

/// Table IV of the data sheet.
std::uint8_t UartModel::InterruptId() {
  const int fifos = fifos_enabled_ ? 0xc0 : 0;
  int id = 1;
  if ((causes() & 4) != 0) {
    id = 6;
  } else if ((causes() & 1) != 0) {
    id = fifos_enabled_ && fifo_.size() < trigger_ ? 0xc : 4;
  } else if ((causes() & 2) != 0) {
    id = 2;
    transmitter_interrupts_ = false;
  } else if ((causes() & 8) != 0) {
    id = 0;
  }
  return static_cast<std::uint8_t>(fifos | id);
}

std::uint8_t UartModel::modem_levels() const {
  if (!loopback()) {
    return 0xb0;  // CTS, DSR and DCD of a peer that is there
  }
  // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
  return static_cast<std::uint8_t>(((mcr_ & 1) << 5) | ((mcr_ & 2) << 3) | ((mcr_ & 4) << 4) |
                                   ((mcr_ & 8) << 4));
}

void UartModel::Transmit(std::uint8_t value) {
  if (!loopback()) {
    if (output_.size() < Uart::kOutputCapacity) {
      output_.push_back(static_cast<char>(value));
    } else {
      ++dropped_;
    }
  } else if (fifo_.size() < fifo_capacity()) {
    fifo_.push_back(value);
  } else {
    overrun_ = 2;
    if (!fifos_enabled_) {
      fifo_.back() = value;
    }
  }
  transmitter_busy_ = transmitter_busy_ || Uart::kOutputCapacity - output_.size() < 16;
  transmitter_interrupts_ = !transmitter_busy_;
}

void UartModel::WriteModemControl(std::uint8_t value) {
  const std::uint8_t before = modem_levels();
  mcr_ = value & 0x1f;
  const std::uint8_t after = modem_levels();
  const int risen_or_fallen = (before ^ after) & 0xb0;
  const int ring_ended = before & ~after & 0x40;
  modem_deltas_ |= static_cast<std::uint8_t>((risen_or_fallen | ring_ended) >> 4);
  Receive();
}

void UartModel::WriteFifoControl(std::uint8_t value) {
  const bool enable = (value & 1) != 0;
  if (enable) {
    constexpr std::size_t kTriggers[] = {1, 4, 8, 14};
    trigger_ = kTriggers[value >> 6];
  }
  if (enable != fifos_enabled_ || (enable && (value & 2) != 0)) {
    fifo_.clear();
  }
  fifos_enabled_ = enable;
  Receive();
}

void UartModel::Receive() {
  while (!loopback() && !wire_.empty() && fifo_.size() < fifo_capacity()) {
    fifo_.push_back(wire_.front());
    wire_.pop_front();
  }
}

}  // namespace tidevm::devices
