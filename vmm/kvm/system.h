// /dev/kvm itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vm.h"

namespace tidevm::kvm {

/// The system descriptor (api.rst, 4.1 onwards, "system ioctl"). Constant after Open; any thread.
class System {
 public:
  /// Opens `path` and checks KVM_GET_API_VERSION and the capabilities without which tidevm does not
  /// run. kNotFound and kPermissionDenied name the remedy.
  static Result<System> Open(const std::string& path = "/dev/kvm");

  /// KVM_CREATE_VM, with what every x86 VM of tidevm needs at once: the Intel TSS and identity-map
  /// pages, the in-kernel interrupt controllers, and routes to the I/O APIC alone (no 8259: the
  /// guest is hardware-reduced).
  Result<Vm> CreateVm() const;

  /// KVM_CHECK_EXTENSION on the system descriptor; 0 where it is unknown.
  int CheckExtension(unsigned long capability) const;

  /// KVM_GET_SUPPORTED_CPUID.
  Result<std::vector<kvm_cpuid_entry2>> SupportedCpuid() const;

  /// KVM_GET_MSR_INDEX_LIST: MSRs that KVM_GET_MSRS and KVM_SET_MSRS know.
  Result<std::vector<std::uint32_t>> MsrIndexList() const;

 private:
  explicit System(UniqueFd fd, std::size_t run_page_size)
      : fd_(std::move(fd)), run_page_size_(run_page_size) {}

  UniqueFd fd_;
  std::size_t run_page_size_;  // KVM_GET_VCPU_MMAP_SIZE, bytes
};

}  // namespace tidevm::kvm
