// The memory of the probe guest: its code, and the tables without which a processor in 64-bit mode
// takes no exception and enters no user mode.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "tidevm/result.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/probe_guest.h"

namespace tidevm::machine {

/// Fixed in place: KVM keeps the address while the VM lives.
class ProbeMemory {
 public:
  ProbeMemory();

  std::span<std::byte> bytes();

  /// Puts `vcpu` at the entry of `test`, in 64-bit mode, with GDT, IDT and TSS.
  Result<void> Enter(kvm::Vcpu& vcpu, ProbeTest test) const;

 private:
  static constexpr std::size_t kPageSize = 4096;
  struct alignas(kPageSize) Page {
    std::array<std::byte, kPageSize> bytes;
  };

  template <typename Value>
  void Store(std::size_t address, Value value);
  void WritePageTables();
  void WriteSegments();
  void WriteInterruptTable();

  std::unique_ptr<Page[]> pages_;
};

}  // namespace tidevm::machine
