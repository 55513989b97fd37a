// The guest's serial port, from the bus to the user's terminal.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tidevm/result.h"
#include "vmm/control/event_loop.h"
#include "vmm/devices/panic_watcher.h"
#include "vmm/devices/serial_backend.h"
#include "vmm/devices/serial_pump.h"
#include "vmm/devices/uart.h"
#include "vmm/machine/terminal.h"

namespace tidevm::machine {

/// The port, its host side, the raw terminal with its escape keys, and the look-out for a kernel
/// panic on the console. Machine thread only, but for the port's guest side.
class SerialConsole {
 public:
  struct Callbacks {
    std::function<void()> end_requested;  // Ctrl-A x
    std::function<void(const std::string&)>
        panic_ended;  // the console ended in a panic: its reason
  };

  /// `spec` as --serial takes it. `loop` and `interrupt` outlive the console.
  static Result<std::unique_ptr<SerialConsole>> Create(const std::string& spec,
                                                       devices::InterruptLine& interrupt,
                                                       control::EventLoop& loop,
                                                       Callbacks callbacks);
  SerialConsole(const SerialConsole&) = delete;
  SerialConsole& operator=(const SerialConsole&) = delete;
  ~SerialConsole();

  devices::IoDevice& port() { return *uart_; }

  /// The guest was reset.
  void Reset();

  /// What the guest has written so far goes through the panic look-out now.
  void CatchUp() {
    Drive([this] { pump_->OnWake(); });
  }
  /// The reason of a kernel panic that was seen on the console and not followed by anything that
  /// speaks against it.
  std::optional<std::string> panic_reason() const { return watcher_.reason(); }

  /// Starts the time in which a console that ended in a panic must stay silent anew.
  void WatchForPanic();

  /// For the end, with the vCPUs stopped: waits until the output is out, but not for ever.
  void Flush();

 private:
  SerialConsole(std::unique_ptr<devices::Uart> uart, devices::SerialBackend backend,
                control::EventLoop& loop, Callbacks callbacks);
  Result<void> Start();
  void FilterInput(std::span<const std::byte> typed, std::vector<std::byte>& input);
  void WatchOutput(std::span<const std::byte> output);
  void Drive(const std::function<void()>& step);
  void Follow(int& watched, int wanted, std::uint32_t events);

  control::EventLoop& loop_;
  Callbacks callbacks_;
  std::unique_ptr<devices::Uart> uart_;
  devices::SerialBackend backend_;
  std::unique_ptr<devices::SerialPump> pump_;
  std::unique_ptr<RawTerminal> terminal_;
  EscapeFilter escape_;
  devices::PanicWatcher watcher_;
  control::EventLoop::TimerId panic_timer_ = 0;
  int watched_input_ = -1;   // in the loop now
  int watched_output_ = -1;  // in the loop now
};

}  // namespace tidevm::machine
