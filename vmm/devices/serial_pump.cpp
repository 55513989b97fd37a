#include "vmm/devices/serial_pump.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tidevm::devices {
namespace {

constexpr std::size_t kReadSize = 256;
// A guest that writes without end must leave the event loop its turn.
constexpr std::size_t kOutputAtOnce = std::size_t{64} << 10;

}  // namespace

SerialPump::SerialPump(Uart& uart, SerialBackend& backend, InputFilter filter, OutputTap tap)
    : uart_(uart), backend_(backend), filter_(std::move(filter)), tap_(std::move(tap)) {}

void SerialPump::OnWake() {
  uart_.AcknowledgeWake();
  OnReady();
}

void SerialPump::OnReady() {
  if (PumpOutput()) {
    uart_.RequestWake();
  }
  PumpInput();
}

int SerialPump::read_fd() const { return input_.empty() ? backend_.input_fd() : -1; }

bool SerialPump::PumpOutput() {
  std::size_t budget = kOutputAtOnce;
  while (true) {
    const std::span<const std::byte> output = uart_.PeekOutput();
    output_waits_ = !output.empty();
    if (output.empty()) {
      return false;
    }
    if (budget == 0) {
      return true;
    }
    const std::size_t count = backend_.Write(output.first(std::min(output.size(), budget)));
    if (count == 0) {
      return false;
    }
    if (tap_) {
      tap_(output.first(count));
    }
    uart_.ConsumeOutput(count);
    budget -= count;
  }
}

void SerialPump::PumpInput() {
  while (true) {
    const std::size_t taken = uart_.PushInput(input_);
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!input_.empty()) {
      return;
    }
    std::array<std::byte, kReadSize> buffer{};
    const std::size_t count = backend_.Read(buffer);
    if (count == 0) {
      return;
    }
    const std::span<const std::byte> from_host(buffer.data(), count);
    if (filter_) {
      filter_(from_host, input_);
    } else {
      input_.assign(from_host.begin(), from_host.end());
    }
  }
}

bool SerialPump::Flush(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    while (PumpOutput()) {
    }
    if (!output_waits_) {
      return true;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    backend_.WaitWritable(left);  // an interrupted wait is just another turn
  }
}

}  // namespace tidevm::devices
