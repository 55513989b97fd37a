// For the fuzz target: the contract of tidevm/cpu_hotplug_registers.h once more, from its text and
// not from the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tidevm/ids.h"
#include "vmm/hotplug/cpu_register_block.h"

namespace tidevm::hotplug {

/// Says what a read must give and which flags a write must leave. What the host does is taken over
/// from the device's flags, after a look at whether it may.
class RegisterModel {
 public:
  explicit RegisterModel(const CpuRegisterBlock& device);

  /// Guest accesses inside the block, `width` 1 to 8 bytes.
  std::uint64_t Read(std::uint64_t offset, std::size_t width);
  void Write(std::uint64_t offset, std::size_t width, std::uint64_t value);

  /// That the guest's accesses had just these effects.
  void RequireSame() const;
  /// The host did something, but no reset: its part of the flags may have changed.
  void TakeOver();
  /// The registers are those of a new guest.
  void Reset();

  bool event_waits() const;
  std::uint64_t bad_accesses() const { return bad_accesses_; }

 private:
  struct Cpu {
    CpuFlags flags;
    bool insert_seen = false;        // by a scan, so that the guest may be about to act on it
    bool looks_for_ejected = false;  // the guest's next look is for the CPU that it ejected
  };
  static bool shows_insert(const Cpu& cpu) {
    return cpu.flags.insert_event && !cpu.looks_for_ejected;
  }
  static bool shows_event(const Cpu& cpu) { return shows_insert(cpu) || cpu.flags.remove_event; }

  bool in_range() const { return selector_ < cpus_.size(); }
  void WriteFlags(std::uint64_t value);
  void SelectNext();

  const CpuRegisterBlock& device_;
  std::vector<Cpu> cpus_;
  std::uint32_t selector_ = 0;
  std::uint8_t command_ = 0;
  bool scanning_ = false;
  std::uint64_t bad_accesses_ = 0;
};

}  // namespace tidevm::hotplug
