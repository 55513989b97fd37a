// A device's interrupt output, wired to a pin of KVM's I/O APIC.
#pragma once

#include <linux/kvm.h>
#include <spdlog/spdlog.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "tidevm/ids.h"
#include "vmm/devices/bus.h"
#include "vmm/kvm/vm.h"

namespace tidevm::machine {

/// Any thread; the device orders its own calls.
class IrqLine final : public devices::InterruptLine {
 public:
  IrqLine(const kvm::Vm& vm, Gsi gsi) : vm_(vm), gsi_(gsi) {}

  void Set(bool asserted) override {
    auto set = vm_.SetIrqLine(gsi_, asserted);
    if (set) {
      fault_.reset();
      return;
    }
    fault_ = std::move(set.error().message);
    // At powers of two: a guest makes a device do this as often as it likes.
    if (std::has_single_bit(++faults_)) {
      spdlog::error("{} ({} so far)", *fault_, faults_);
    }
  }
  std::optional<std::string> fault() const override { return fault_; }

  /// A pin without a valid vector (below 16 none is) was never set up. The mask says less: Linux
  /// also masks while a handler's thread has its turn to come. 82093AA data sheet, 3.2.4.
  std::optional<bool> has_handler() const override {
    constexpr std::uint8_t kFirstVector = 16;
    const auto chip = vm_.GetIrqChip();
    if (!chip || gsi_ >= KVM_IOAPIC_NUM_PINS) {
      return std::nullopt;
    }
    return chip->io_apic.chip.ioapic.redirtbl[gsi_].fields.vector >= kFirstVector;
  }

 private:
  const kvm::Vm& vm_;
  const Gsi gsi_;
  std::optional<std::string> fault_;
  std::uint64_t faults_ = 0;
};

}  // namespace tidevm::machine
