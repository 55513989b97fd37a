// Carries bytes between the serial port and the host.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "vmm/devices/serial_backend.h"
#include "vmm/devices/uart.h"

namespace tidevm::devices {

/// Machine thread only; never blocks, but for Flush(). To drive it from an event loop:
///  - call OnWake() whenever the port's wake_fd() is readable, and once in the beginning;
///  - call OnReady() whenever read_fd() is readable or write_fd() is writable;
///  - after each call look at read_fd() and write_fd() again. One that has become -1 must be
///    removed from the loop, not masked: a hung-up descriptor would report that for ever.
class SerialPump {
 public:
  /// Gets what came from the host and puts into `input` what the guest shall have of it.
  using InputFilter =
      std::function<void(std::span<const std::byte> from_host, std::vector<std::byte>& input)>;
  /// Sees all output, once, as it leaves.
  using OutputTap = std::function<void(std::span<const std::byte>)>;

  /// Both functions may be empty. `uart` and `backend` must outlive the pump.
  SerialPump(Uart& uart, SerialBackend& backend, InputFilter filter, OutputTap tap);

  void OnWake();
  void OnReady();

  /// To be waited on for reading; -1 while the guest has no room, and where there is nothing to
  /// wait for.
  int read_fd() const;
  /// To be waited on for writing; -1 while no output is waiting.
  int write_fd() const { return output_waits_ ? backend_.output_fd() : -1; }

  /// Blocks until all output is out, at most for `timeout`. False if some is left. For the end,
  /// with the vCPUs stopped.
  bool Flush(std::chrono::milliseconds timeout);

 private:
  bool PumpOutput();  // true: enough for this turn, but more could go
  void PumpInput();

  Uart& uart_;
  SerialBackend& backend_;
  InputFilter filter_;
  OutputTap tap_;
  std::vector<std::byte> input_;  // filtered, not yet taken by the port
  bool output_waits_ = false;     // for the host
};

}  // namespace tidevm::devices
