// Where the guest's kernel says that it has panicked.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vmm/devices/bus.h"

namespace tidevm::devices {

/// Called on a vCPU thread; must not block.
class PanicEvents {
 public:
  PanicEvents() = default;
  PanicEvents(const PanicEvents&) = delete;
  PanicEvents& operator=(const PanicEvents&) = delete;
  virtual ~PanicEvents() = default;
  /// The guest is dead, or about to do what its panic= setting says.
  virtual void OnPanicked() = 0;
  /// The guest panicked and is about to start its crash kernel: it goes on running.
  virtual void OnCrashLoaded() = 0;
};

/// One port. Source: QEMU docs/specs/pvpanic.rst. Reads the events that it knows, takes one as a
/// write. No state and no lock: any thread, several at once.
class PvpanicDevice final : public IoDevice {
 public:
  static constexpr std::uint8_t kPanicked = 1U << 0;
  static constexpr std::uint8_t kCrashLoaded = 1U << 1;

  explicit PvpanicDevice(PanicEvents& events) : events_(events) {}

  std::string_view Name() const override { return "pvpanic"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override;
  void Write(std::uint64_t offset, std::span<const std::byte> data) override;

 private:
  PanicEvents& events_;
};

}  // namespace tidevm::devices
