// The guest's way to switch itself off or reset itself, and the host's power button.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

#include "vmm/devices/bus.h"

namespace tidevm::devices {

/// What the guest did to the machine. Called on a vCPU thread, with no lock of the device held;
/// must not block, and must take being called again.
class PowerEvents {
 public:
  PowerEvents() = default;
  PowerEvents(const PowerEvents&) = delete;
  PowerEvents& operator=(const PowerEvents&) = delete;
  virtual ~PowerEvents() = default;
  virtual void OnPowerOff() = 0;
  virtual void OnReset() = 0;
};

/// Four ports of one byte each (tidevm/guest_layout.h has the offsets and values):
///  - sleep control and sleep status of a hardware-reduced platform, ACPI 6.4, 4.8.3.7. Soft-off is
///    the only sleep state; others are ignored, so nothing ever wakes and WAK_STS stays 0.
///  - the FADT's reset register, 4.8.3.6.
///  - tidevm's own power button: its line is high from the press until the guest's read, which
///    gives 1 once.
/// Accesses of another width read all ones and write nothing.
///
/// Threads: Read() and Write() on vCPU threads, PressPowerButton() and Reset() on any. mutex_ is a
/// leaf but for InterruptLine::Set(), which is called under it and must not call back.
class PowerDevice final : public IoDevice {
 public:
  PowerDevice(PowerEvents& events, InterruptLine& power_button)
      : events_(events), power_button_(power_button) {}

  std::string_view Name() const override { return "power"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override;
  void Write(std::uint64_t offset, std::span<const std::byte> data) override;

  /// Asks the guest to power off. Presses that it has not read yet are one.
  void PressPowerButton();

  /// The guest was reset: a press that it has not read is forgotten.
  void Reset();

 private:
  bool TakePress();

  PowerEvents& events_;
  InterruptLine& power_button_;
  std::mutex mutex_;
  bool pressed_ = false;  // guarded by mutex_; the line's level
};

}  // namespace tidevm::devices
