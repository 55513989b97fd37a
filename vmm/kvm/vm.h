// One virtual machine, as KVM knows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/limits.h"
#include "vmm/kvm/vcpu.h"

namespace tidevm::kvm {

/// State of the in-kernel interrupt controllers that all vCPUs share.
struct IrqChipState {
  kvm_irqchip pic_master{};
  kvm_irqchip pic_slave{};
  kvm_irqchip io_apic{};
};

/// The VM descriptor (api.rst, "vm ioctl"). KVM serialises; any thread unless said otherwise.
class Vm {
 public:
  /// Takes a fresh VM descriptor and gives it what System::CreateVm promises.
  static Result<Vm> Prepare(UniqueFd fd, std::size_t run_page_size);

  /// KVM_CHECK_EXTENSION on the VM; 0 where it is unknown, or the kernel too old to answer here.
  int CheckExtension(unsigned long capability) const;

  CpuLimits cpu_limits() const;

  /// KVM_SET_USER_MEMORY_REGION. `memory` must stay mapped as long as the VM lives.
  Result<void> SetMemory(std::uint32_t slot, Gpa gpa, std::span<std::byte> memory) const;

  /// KVM_CREATE_VCPU. KVM cannot destroy one: the id is taken until the VM ends, and creating it
  /// again fails. One that could not be made ready therefore comes back through KeepVcpu(), for the
  /// next call. Both on one thread.
  Result<Vcpu> CreateVcpu(ApicId id);
  void KeepVcpu(ApicId id, Vcpu vcpu);

  /// KVM_IRQ_LINE: the level of one I/O APIC pin.
  Result<void> SetIrqLine(Gsi gsi, bool asserted) const;

  /// Makes each write of the guest to these MSRs an ExitMsrWrite, on the vCPU that wrote
  /// (KVM_CAP_X86_USER_SPACE_MSR, KVM_X86_SET_MSR_FILTER). At most 64 MSRs, from `first` on.
  /// kUnsupported: this KVM cannot (before Linux 5.10).
  Result<void> TrapMsrWrites(std::uint32_t first, std::uint32_t count) const;

  Result<IrqChipState> GetIrqChip() const;
  Result<void> SetIrqChip(const IrqChipState& state) const;

 private:
  explicit Vm(UniqueFd fd, std::size_t run_page_size)
      : fd_(std::move(fd)), run_page_size_(run_page_size) {}
  Result<void> RouteIoApicOnly() const;

  UniqueFd fd_;
  std::size_t run_page_size_;
  std::map<ApicId, UniqueFd> kept_;  // created, and in nobody's hands
};

}  // namespace tidevm::kvm
