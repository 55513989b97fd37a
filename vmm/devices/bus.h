// Where a guest's port or memory access finds its device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tidevm/result.h"

namespace tidevm::devices {

/// Something that answers accesses. Called on vCPU threads, several at once: a device has its own
/// lock, never waits, and treats every offset and width as ordinary input.
class IoDevice {
 public:
  IoDevice() = default;
  IoDevice(const IoDevice&) = delete;
  IoDevice& operator=(const IoDevice&) = delete;
  virtual ~IoDevice() = default;

  virtual std::string_view Name() const = 0;

  /// `data` has 1, 2, 4 or 8 bytes and is filled completely; `offset` counts from the device's
  /// base.
  virtual void Read(std::uint64_t offset, std::span<std::byte> data) = 0;
  virtual void Write(std::uint64_t offset, std::span<const std::byte> data) = 0;
};

/// One interrupt input, as the device sees it: a level. Any thread; the device orders its own
/// calls.
class InterruptLine {
 public:
  InterruptLine() = default;
  InterruptLine(const InterruptLine&) = delete;
  InterruptLine& operator=(const InterruptLine&) = delete;
  virtual ~InterruptLine() = default;
  virtual void Set(bool asserted) = 0;
  /// Why the last Set() did not come through; nullopt: it did.
  virtual std::optional<std::string> fault() const { return std::nullopt; }
  /// Whether the guest has set up a handler for it; nullopt: not known.
  virtual std::optional<bool> has_handler() const { return std::nullopt; }
};

/// One address space (ports, or MMIO). Filled before the first vCPU runs, constant after that, so
/// that look-ups take no lock.
class Bus {
 public:
  /// Claims [base, base + size) for `device`, which must outlive the bus.
  /// Fails with kBusy where the range meets another one, and kInvalidArgument for an empty range or
  /// one that wraps.
  Result<void> Add(std::uint64_t base, std::uint64_t size, IoDevice& device);

  /// An access that lies wholly inside one device's range goes there. Everything else is an open
  /// bus: reads give all ones, writes vanish, and the answer is false.
  bool Read(std::uint64_t address, std::span<std::byte> data) const;
  bool Write(std::uint64_t address, std::span<const std::byte> data) const;

 private:
  struct Range {
    std::uint64_t size = 0;
    IoDevice* device = nullptr;
  };
  const Range* Find(std::uint64_t address, std::size_t size, std::uint64_t& offset) const;

  std::map<std::uint64_t, Range> ranges_;  // by base
};

}  // namespace tidevm::devices
