// The CPU hotplug register block: the guest's side of every request.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "vmm/devices/bus.h"
#include "vmm/hotplug/intent_queue.h"

namespace tidevm::hotplug {

/// What the registers hold for one CPU.
struct CpuFlags {
  bool present = false;           // _STA
  bool insert_event = false;      // the host plugs it, the guest has not taken notice yet
  bool remove_event = false;      // the host wants it back, the guest has not taken notice yet
  bool eject_authorised = false;  // the host wants it back, whatever the guest has noticed
  friend bool operator==(const CpuFlags&, const CpuFlags&) = default;
};

/// The device behind include/tidevm/cpu_hotplug_registers.h, which is the contract. Guest accesses
/// come on vCPU threads, several at once; host calls on the machine thread. One small lock, nothing
/// waits under it. The interrupt line follows "some event waits": a level, so that an event raised
/// before the guest listens is delivered when it does.
class CpuRegisterBlock final : public devices::IoDevice {
 public:
  CpuRegisterBlock(std::vector<ApicId> apic_ids, devices::InterruptLine& line,
                   IntentQueue& intents);

  std::string_view Name() const override { return "cpu-hotplug"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override;
  void Write(std::uint64_t offset, std::span<const std::byte> data) override;

  /// Host: plugs `cpu`. It becomes present when the guest acknowledges; where the guest has still
  /// to look at what it ejected, the event is hidden until then. An error: the interrupt
  /// did not come through; the event waits all the same, and a guest that looks finds it.
  Result<void> RaiseInsert(CpuId cpu);
  /// Host: takes RaiseInsert back. False where the guest has seen the event already: it may be on
  /// its way to acknowledge it, and will act on it whatever the registers say by then.
  bool RetractInsert(CpuId cpu);
  /// Host: asks for `cpu`, and authorises its ejection. Errors as with RaiseInsert.
  Result<void> RaiseRemove(CpuId cpu);
  /// Host: takes RaiseRemove back. False, and nothing changes, where the guest has seen the event.
  bool RetractRemove(CpuId cpu);
  /// Host: the removal is over without an ejection; an ejection from now on is the guest's fancy.
  /// False where the guest has ejected already; then nothing changes.
  bool RevokeEject(CpuId cpu);

  /// Host: the registers of a machine that starts with `present`; events wait for `inserting`.
  void Reset(const CpuSet& present, const CpuSet& inserting);

  CpuFlags flags(CpuId cpu) const;
  /// Whether the guest has set up a handler for the events' interrupt; nullopt: not known.
  std::optional<bool> guest_has_handler() const { return line_.has_handler(); }
  /// Whether the guest has ejected `cpu`, and not looked since.
  bool eject_unverified(CpuId cpu) const;
  std::uint32_t cpu_count() const { return static_cast<std::uint32_t>(cpus_.size()); }
  /// Accesses of a wrong width or to no register: survived, counted.
  std::uint64_t bad_accesses() const;

 private:
  struct Cpu {
    CpuFlags flags;
    // A scan has read the event that waits, and is on its way to act on it. Each for itself: one
    // may be raised anew while the other waits.
    bool insert_seen = false;
    bool remove_seen = false;
    bool eject_unverified = false;  // the guest ejected it, and has not looked since
    std::uint32_t ost_event = 0;
  };

  static bool ShowsInsert(const Cpu& cpu) {
    return cpu.flags.insert_event && !cpu.eject_unverified;
  }
  static bool ShowsEvent(const Cpu& cpu) { return ShowsInsert(cpu) || cpu.flags.remove_event; }
  Cpu* Selected();
  std::uint32_t ReadCommandData() const;
  std::uint8_t ReadFlags();
  void WriteFlags(std::uint8_t value);
  void WriteCommand(std::uint8_t value);
  void WriteCommandData(std::uint32_t value);
  void Eject(Cpu& cpu);
  void CountBadAccess(std::string_view direction, std::uint64_t offset, std::size_t width);
  void UpdateLine();
  Result<void> LineAsserted() const;

  const std::vector<ApicId> apic_ids_;
  devices::InterruptLine& line_;
  IntentQueue& intents_;

  // Order: this, then the intent queue's. The interrupt line is set under it, so that its last
  // level is the true one; that is an ioctl that does not wait.
  mutable std::mutex mutex_;
  std::vector<Cpu> cpus_;
  std::uint32_t selector_ = 0;
  std::uint8_t command_ = 0;
  bool scanning_ = false;       // command 0 chose the selector, not the guest
  bool line_asserted_ = false;  // as far as it came through: the next access tries again
  std::uint64_t bad_accesses_ = 0;
};

}  // namespace tidevm::hotplug
