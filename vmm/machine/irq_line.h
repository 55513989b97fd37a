// A device's interrupt output, wired to a pin of KVM's I/O APIC.
#pragma once

#include <spdlog/spdlog.h>

#include "tidevm/ids.h"
#include "vmm/devices/bus.h"
#include "vmm/kvm/vm.h"

namespace tidevm::machine {

/// Any thread; the device orders its own calls.
class IrqLine final : public devices::InterruptLine {
 public:
  IrqLine(const kvm::Vm& vm, Gsi gsi) : vm_(vm), gsi_(gsi) {}

  void Set(bool asserted) override {
    if (auto set = vm_.SetIrqLine(gsi_, asserted); !set) {
      spdlog::error("{}", set.error().message);
    }
  }

 private:
  const kvm::Vm& vm_;
  const Gsi gsi_;
};

}  // namespace tidevm::machine
