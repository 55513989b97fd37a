#include "vmm/vcpu/long_mode_entry.h"

namespace tidevm::vcpu {
namespace {

constexpr std::uint64_t kCr0ProtectedMode = 1U << 0;
constexpr std::uint64_t kCr0ExtensionType = 1U << 4;
constexpr std::uint64_t kCr0Paging = 1U << 31;
constexpr std::uint64_t kCr4Pae = 1U << 5;
constexpr std::uint64_t kEferLongModeEnable = 1U << 8;
constexpr std::uint64_t kEferLongModeActive = 1U << 10;
constexpr std::uint64_t kRflagsReserved = 1U << 1;

constexpr std::uint8_t kTypeCode = 0xb;  // execute, read, accessed
constexpr std::uint8_t kTypeData = 0x3;  // read, write, accessed

kvm_segment FlatSegment(std::uint16_t selector, std::uint8_t type) {
  kvm_segment segment{};
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.type = type;
  segment.present = 1;
  segment.s = 1;
  segment.g = 1;
  const bool code = type == kTypeCode;
  segment.l = code ? 1 : 0;
  segment.db = code ? 0 : 1;
  return segment;
}

}  // namespace

Result<void> EnterLongMode(kvm::Vcpu& vcpu, const LongModeEntry& entry) {
  auto sregs = vcpu.GetSregs();
  if (!sregs) {
    return tl::make_unexpected(sregs.error());
  }
  sregs->cs = FlatSegment(entry.code_selector, kTypeCode);
  const kvm_segment data = FlatSegment(entry.data_selector, kTypeData);
  sregs->ds = data;
  sregs->es = data;
  sregs->fs = data;
  sregs->gs = data;
  sregs->ss = data;
  sregs->gdt.base = entry.gdt_base;
  sregs->gdt.limit = entry.gdt_limit;
  sregs->idt.base = 0;
  sregs->idt.limit = 0;
  sregs->cr0 = kCr0ProtectedMode | kCr0ExtensionType | kCr0Paging;
  sregs->cr3 = entry.cr3;
  sregs->cr4 = kCr4Pae;
  sregs->efer = kEferLongModeEnable | kEferLongModeActive;
  if (auto set = vcpu.SetSregs(*sregs); !set) {
    return set;
  }
  kvm_regs regs{};
  regs.rip = entry.rip;
  regs.rsi = entry.rsi;
  regs.rflags = kRflagsReserved;
  return vcpu.SetRegs(regs);
}

}  // namespace tidevm::vcpu
