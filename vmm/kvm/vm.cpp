#include "vmm/kvm/vm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "tidevm/guest_layout.h"
#include "vmm/kvm/ioctl.h"

namespace tidevm::kvm {

Result<Vm> Vm::Prepare(UniqueFd fd, std::size_t run_page_size) {
  Vm vm(std::move(fd), run_page_size);
  std::uint64_t identity_map = layout::kKvmIdentityMap;
  if (RetryIoctl(vm.fd_.get(), KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0) {
    return FailErrno(errno, "KVM_SET_IDENTITY_MAP_ADDR {:#x}", identity_map);
  }
  if (RetryIoctl(vm.fd_.get(), KVM_SET_TSS_ADDR, layout::kKvmTss) < 0) {
    return FailErrno(errno, "KVM_SET_TSS_ADDR {:#x}", layout::kKvmTss);
  }
  if (RetryIoctl(vm.fd_.get(), KVM_CREATE_IRQCHIP, 0) < 0) {
    return FailErrno(errno, "KVM_CREATE_IRQCHIP");
  }
  if (auto routed = vm.RouteIoApicOnly(); !routed) {
    return tl::make_unexpected(std::move(routed.error()));
  }
  return vm;
}

Result<void> Vm::RouteIoApicOnly() const {
  std::vector<std::byte> bytes(sizeof(kvm_irq_routing) +
                               layout::kIoApicPins * sizeof(kvm_irq_routing_entry));
  auto* const routing = reinterpret_cast<kvm_irq_routing*>(bytes.data());
  routing->nr = layout::kIoApicPins;
  for (std::uint32_t pin = 0; pin < layout::kIoApicPins; ++pin) {
    kvm_irq_routing_entry& entry = routing->entries[pin];
    entry.gsi = pin;
    entry.type = KVM_IRQ_ROUTING_IRQCHIP;
    entry.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
    entry.u.irqchip.pin = pin;
  }
  if (RetryIoctl(fd_.get(), KVM_SET_GSI_ROUTING, routing) < 0) {
    return FailErrno(errno, "KVM_SET_GSI_ROUTING");
  }
  return {};
}

int Vm::CheckExtension(unsigned long capability) const {
  // An old kernel without KVM_CAP_CHECK_EXTENSION_VM answers ENOTTY, which reads as "no".
  return std::max(0, RetryIoctl(fd_.get(), KVM_CHECK_EXTENSION, capability));
}

CpuLimits Vm::cpu_limits() const {
  CpuLimits limits;
  if (const int answer = CheckExtension(KVM_CAP_NR_VCPUS); answer > 0) {
    limits.recommended = static_cast<std::uint32_t>(answer);
  }
  const int max = CheckExtension(KVM_CAP_MAX_VCPUS);
  limits.max = max > 0 ? static_cast<std::uint32_t>(max) : limits.recommended;
  const int max_id = CheckExtension(KVM_CAP_MAX_VCPU_ID);
  limits.max_id = max_id > 0 ? static_cast<std::uint32_t>(max_id) : limits.max;
  return limits;
}

Result<void> Vm::SetMemory(std::uint32_t slot, Gpa gpa, std::span<std::byte> memory) const {
  kvm_userspace_memory_region region{};
  region.slot = slot;
  region.guest_phys_addr = gpa;
  region.memory_size = memory.size();
  region.userspace_addr = reinterpret_cast<std::uint64_t>(memory.data());
  if (RetryIoctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, &region) < 0) {
    return FailErrno(errno, "KVM_SET_USER_MEMORY_REGION slot {}: {} bytes at {:#x}", slot,
                     memory.size(), gpa);
  }
  return {};
}

Result<Vcpu> Vm::CreateVcpu(ApicId id) {
  UniqueFd& fd = kept_[id];
  if (!fd.valid()) {
    fd.Reset(RetryIoctl(fd_.get(), KVM_CREATE_VCPU, static_cast<unsigned long>(id)));
  }
  if (!fd.valid()) {
    const int err = errno;
    const CpuLimits limits = cpu_limits();
    const char* const remedy = err == EINVAL   ? "; use fewer vCPUs"
                               : err == EEXIST ? "; only a new VM can have this id again"
                                               : "";
    return FailErrno(err, "KVM_CREATE_VCPU id {} (this KVM takes {} vCPUs a VM, ids below {}{})",
                     id, limits.max, limits.max_id, remedy);
  }
  return Vcpu::Map(fd, run_page_size_);
}

void Vm::KeepVcpu(ApicId id, Vcpu vcpu) { kept_[id] = std::move(vcpu).Unmap(); }

Result<void> Vm::SetIrqLine(Gsi gsi, bool asserted) const {
  kvm_irq_level level{};
  level.irq = gsi;
  level.level = asserted ? 1 : 0;
  if (RetryIoctl(fd_.get(), KVM_IRQ_LINE, &level) < 0) {
    return FailErrno(errno, "KVM_IRQ_LINE gsi {}", gsi);
  }
  return {};
}

Result<void> Vm::TrapMsrWrites(std::uint32_t first, std::uint32_t count) const {
  if (CheckExtension(KVM_CAP_X86_USER_SPACE_MSR) == 0 ||
      CheckExtension(KVM_CAP_X86_MSR_FILTER) == 0) {
    return Fail(ErrorCode::kUnsupported, "KVM_CAP_X86_USER_SPACE_MSR and KVM_CAP_X86_MSR_FILTER");
  }
  kvm_enable_cap exits{};
  exits.cap = KVM_CAP_X86_USER_SPACE_MSR;
  exits.args[0] = KVM_MSR_EXIT_REASON_FILTER;
  if (RetryIoctl(fd_.get(), KVM_ENABLE_CAP, &exits) < 0) {
    return FailErrno(errno, "KVM_ENABLE_CAP KVM_CAP_X86_USER_SPACE_MSR");
  }
  std::array<std::uint8_t, 8> denied{};  // a bit that is 0 denies
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
  filter.ranges[0].flags = KVM_MSR_FILTER_WRITE;
  filter.ranges[0].base = first;
  filter.ranges[0].nmsrs = count;
  filter.ranges[0].bitmap = denied.data();
  if (count > 8 * denied.size() || RetryIoctl(fd_.get(), KVM_X86_SET_MSR_FILTER, &filter) < 0) {
    return FailErrno(errno, "KVM_X86_SET_MSR_FILTER {} MSRs from {:#x}", count, first);
  }
  return {};
}

Result<IrqChipState> Vm::GetIrqChip() const {
  IrqChipState state;
  state.pic_master.chip_id = KVM_IRQCHIP_PIC_MASTER;
  state.pic_slave.chip_id = KVM_IRQCHIP_PIC_SLAVE;
  state.io_apic.chip_id = KVM_IRQCHIP_IOAPIC;
  for (kvm_irqchip* chip : {&state.pic_master, &state.pic_slave, &state.io_apic}) {
    if (RetryIoctl(fd_.get(), KVM_GET_IRQCHIP, chip) < 0) {
      return FailErrno(errno, "KVM_GET_IRQCHIP {}", chip->chip_id);
    }
  }
  return state;
}

Result<void> Vm::SetIrqChip(const IrqChipState& state) const {
  for (const kvm_irqchip* chip : {&state.pic_master, &state.pic_slave, &state.io_apic}) {
    if (RetryIoctl(fd_.get(), KVM_SET_IRQCHIP, chip) < 0) {
      return FailErrno(errno, "KVM_SET_IRQCHIP {}", chip->chip_id);
    }
  }
  return {};
}

}  // namespace tidevm::kvm
