// One vCPU, as KVM knows it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/kvm/exit.h"
#include "vmm/kvm/kvm_abi.h"

namespace tidevm::kvm {

/// struct kvm_xsave without its open end: 4 KiB, all that KVM_GET_XSAVE gives. Larger areas (AMX)
/// exist only for processes that asked the kernel for them, which tidevm does not.
using XsaveArea = std::array<std::uint32_t, 1024>;

/// The vCPU descriptor and its run page (api.rst, "vcpu ioctl"). One thread at a time, that of the
/// vCPU while it runs: KVM binds a vCPU to the task that calls it. The exceptions say so.
class Vcpu {
 public:
  /// Takes `fd` where the answer is a vCPU, and leaves it alone otherwise.
  static Result<Vcpu> Map(UniqueFd& fd, std::size_t run_page_size);
  /// Gives the descriptor up.
  UniqueFd Unmap() && { return std::move(fd_); }

  /// KVM_RUN once.
  Exit Run();

  /// Makes the next KVM_RUN return at once. Any thread; one that is in KVM_RUN needs a signal too.
  void set_immediate_exit(bool value);

  Result<void> SetCpuid(std::span<const kvm_cpuid_entry2> entries);

  Result<kvm_regs> GetRegs() const;
  Result<void> SetRegs(const kvm_regs& regs);
  Result<kvm_sregs> GetSregs() const;
  Result<void> SetSregs(const kvm_sregs& sregs);
  Result<XsaveArea> GetXsave() const;
  Result<void> SetXsave(const XsaveArea& xsave);
  Result<kvm_xcrs> GetXcrs() const;
  Result<void> SetXcrs(const kvm_xcrs& xcrs);
  Result<kvm_debugregs> GetDebugRegs() const;
  Result<void> SetDebugRegs(const kvm_debugregs& regs);
  Result<kvm_lapic_state> GetLapic() const;
  Result<void> SetLapic(const kvm_lapic_state& lapic);
  Result<kvm_vcpu_events> GetEvents() const;
  Result<void> SetEvents(const kvm_vcpu_events& events);
  Result<kvm_mp_state> GetMpState() const;
  Result<void> SetMpState(const kvm_mp_state& state);

  /// KVM_GET_MSRS over the whole list. An MSR that KVM refuses is left out of the answer.
  Result<std::vector<kvm_msr_entry>> GetMsrs(std::span<const std::uint32_t> indices) const;
  /// KVM_SET_MSRS. Returns the indices that KVM refused; the others are set.
  Result<std::vector<std::uint32_t>> SetMsrs(std::span<const kvm_msr_entry> entries);

  /// After ExitMsrWrite: the guest's write ends in #GP. Takes effect with the next Run().
  void FailMsrWrite();

  /// KVM_KVMCLOCK_CTRL: tells the guest that it was paused, so that its watchdog stays quiet.
  /// A guest that has no kvmclock makes KVM answer EINVAL, which is fine.
  void NotePaused();

 private:
  struct UnmapPage {
    std::size_t size = 0;
    void operator()(kvm_run* page) const;
  };
  using RunPage = std::unique_ptr<kvm_run, UnmapPage>;
  Vcpu(UniqueFd fd, RunPage page) : fd_(std::move(fd)), run_(std::move(page)) {}
  Exit DecodeExit();
  ExitBroken DecodeInternalError() const;

  UniqueFd fd_;
  RunPage run_;
};

}  // namespace tidevm::kvm
