#include "vmm/kvm/system.h"

#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "vmm/kvm/ioctl.h"

namespace tidevm::kvm {
namespace {

struct Requirement {
  unsigned long capability;
  const char* name;
};

constexpr std::array kRequired = {
    Requirement{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    Requirement{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    Requirement{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    Requirement{KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"},
    Requirement{KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"},
    Requirement{KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
    Requirement{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    Requirement{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
};

/// kvm_cpuid2 and kvm_msr_list end in an array whose size the caller chooses.
template <typename Header, typename Entry>
class Sized {
 public:
  explicit Sized(std::uint32_t capacity)
      : bytes_(sizeof(Header) + capacity * sizeof(Entry), std::byte{0}) {}
  Header* get() { return reinterpret_cast<Header*>(bytes_.data()); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

Result<System> System::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) {
    const int err = errno;
    if (err == ENOENT || err == ENXIO || err == ENODEV) {
      return FailErrno(err,
                       "{}: no KVM on this machine; load kvm_intel or kvm_amd, or enable "
                       "virtualisation in the firmware",
                       path);
    }
    if (err == EACCES || err == EPERM) {
      return FailErrno(err,
                       "{}: no permission; join the group kvm (usermod -aG kvm USER), or run "
                       "as root",
                       path);
    }
    return FailErrno(err, "{}: cannot open", path);
  }
  const int version = RetryIoctl(fd.get(), KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION) {
    return Fail(ErrorCode::kUnsupported, "{}: KVM API version {}, tidevm needs {}", path, version,
                KVM_API_VERSION);
  }
  for (const Requirement& required : kRequired) {
    if (RetryIoctl(fd.get(), KVM_CHECK_EXTENSION, required.capability) <= 0) {
      return Fail(ErrorCode::kUnsupported,
                  "{}: this KVM lacks {}, which tidevm needs; use a newer host kernel", path,
                  required.name);
    }
  }
  const int size = RetryIoctl(fd.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run))) {
    return FailErrno(errno, "{}: KVM_GET_VCPU_MMAP_SIZE gave {}", path, size);
  }
  return System(std::move(fd), static_cast<std::size_t>(size));
}

int System::CheckExtension(unsigned long capability) const {
  return std::max(0, RetryIoctl(fd_.get(), KVM_CHECK_EXTENSION, capability));
}

Result<Vm> System::CreateVm() const {
  UniqueFd vm(RetryIoctl(fd_.get(), KVM_CREATE_VM, 0));
  if (!vm.valid()) {
    return FailErrno(errno, "KVM_CREATE_VM");
  }
  return Vm::Prepare(std::move(vm), run_page_size_);
}

Result<std::vector<kvm_cpuid_entry2>> System::SupportedCpuid() const {
  for (std::uint32_t capacity = 128; capacity <= 4096; capacity *= 2) {
    Sized<kvm_cpuid2, kvm_cpuid_entry2> table(capacity);
    table.get()->nent = capacity;
    if (RetryIoctl(fd_.get(), KVM_GET_SUPPORTED_CPUID, table.get()) == 0) {
      return std::vector<kvm_cpuid_entry2>(table.get()->entries,
                                           table.get()->entries + table.get()->nent);
    }
    if (errno != E2BIG) {
      return FailErrno(errno, "KVM_GET_SUPPORTED_CPUID");
    }
  }
  return Fail(ErrorCode::kLimitExceeded, "KVM_GET_SUPPORTED_CPUID wants more than 4096 entries");
}

Result<std::vector<std::uint32_t>> System::MsrIndexList() const {
  kvm_msr_list probe{};
  if (RetryIoctl(fd_.get(), KVM_GET_MSR_INDEX_LIST, &probe) < 0 && errno != E2BIG) {
    return FailErrno(errno, "KVM_GET_MSR_INDEX_LIST");
  }
  Sized<kvm_msr_list, std::uint32_t> list(probe.nmsrs);
  list.get()->nmsrs = probe.nmsrs;
  if (RetryIoctl(fd_.get(), KVM_GET_MSR_INDEX_LIST, list.get()) < 0) {
    return FailErrno(errno, "KVM_GET_MSR_INDEX_LIST");
  }
  return std::vector<std::uint32_t>(list.get()->indices, list.get()->indices + list.get()->nmsrs);
}

}  // namespace tidevm::kvm
