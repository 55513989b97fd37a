#include "vmm/kvm/vcpu.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "vmm/kvm/ioctl.h"

namespace tidevm::kvm {
namespace {

template <typename State>
Result<State> Get(int fd, unsigned long request, const char* name) {
  State state{};
  if (RetryIoctl(fd, request, &state) < 0) {
    return FailErrno(errno, "{}", name);
  }
  return state;
}

template <typename State>
Result<void> Set(int fd, unsigned long request, const char* name, const State& state) {
  if (RetryIoctl(fd, request, &state) < 0) {
    return FailErrno(errno, "{}", name);
  }
  return {};
}

/// KVM takes fewer than 256 MSRs in one call (MAX_IO_MSRS in arch/x86/kvm/x86.c).
constexpr std::size_t kMostMsrs = 128;

/// kvm_msrs with its entries behind it.
std::vector<std::byte> PackMsrs(std::span<const kvm_msr_entry> entries) {
  std::vector<std::byte> bytes(sizeof(kvm_msrs) + entries.size_bytes());
  kvm_msrs header{};
  header.nmsrs = static_cast<std::uint32_t>(entries.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!entries.empty()) {
    std::memcpy(bytes.data() + sizeof header, entries.data(), entries.size_bytes());
  }
  return bytes;
}

}  // namespace

void Vcpu::UnmapPage::operator()(kvm_run* page) const { ::munmap(page, size); }

Result<Vcpu> Vcpu::Map(UniqueFd& fd, std::size_t run_page_size) {
  void* const page =
      ::mmap(nullptr, run_page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) {
    return FailErrno(errno, "mapping a vCPU's run page of {} bytes", run_page_size);
  }
  return Vcpu(std::move(fd), RunPage(static_cast<kvm_run*>(page), UnmapPage{run_page_size}));
}

void Vcpu::set_immediate_exit(bool value) {
  // Written by the thread that kicks and by the one that runs; KVM reads it in the kernel.
  std::atomic_ref<std::uint8_t>(run_->immediate_exit).store(value ? 1 : 0);
}

Exit Vcpu::Run() {
  const int result = ::ioctl(fd_.get(), KVM_RUN, 0);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  if (result == 0) {
    return DecodeExit();
  }
  switch (errno) {
    case EINTR:
      return ExitInterrupted{};
    case EAGAIN:
      return ExitAwakened{};
    default:
      return ExitBroken{fmt::format("KVM_RUN: {}", std::strerror(errno))};
  }
}

Exit Vcpu::DecodeExit() {
  kvm_run& run = *run_;
  switch (run.exit_reason) {
    case KVM_EXIT_IO: {
      auto* const base = reinterpret_cast<std::byte*>(run_.get()) + run.io.data_offset;
      return ExitIo{.port = run.io.port,
                    .is_write = run.io.direction == KVM_EXIT_IO_OUT,
                    .width = run.io.size,
                    .data = {base, std::size_t{run.io.size} * run.io.count}};
    }
    case KVM_EXIT_MMIO: {
      const std::size_t length = std::min<std::size_t>(run.mmio.len, sizeof run.mmio.data);
      return ExitMmio{.gpa = run.mmio.phys_addr,
                      .is_write = run.mmio.is_write != 0,
                      .data = std::as_writable_bytes(std::span(run.mmio.data).first(length))};
    }
    case KVM_EXIT_X86_WRMSR:
      return ExitMsrWrite{.index = run.msr.index, .value = run.msr.data};
    case KVM_EXIT_INTR:
      return ExitInterrupted{};
    case KVM_EXIT_HLT:
      return ExitHalt{};
    case KVM_EXIT_SHUTDOWN:
      return ExitShutdown{};
    case KVM_EXIT_FAIL_ENTRY:
      return ExitBroken{fmt::format("KVM_EXIT_FAIL_ENTRY: hardware reason {:#x} on host CPU {}",
                                    std::uint64_t{run.fail_entry.hardware_entry_failure_reason},
                                    std::uint32_t{run.fail_entry.cpu})};
    case KVM_EXIT_INTERNAL_ERROR:
      return DecodeInternalError();
    default:
      return ExitUnsupported{run.exit_reason};
  }
}

ExitBroken Vcpu::DecodeInternalError() const {
  const auto& internal = run_->internal;
  std::string text = fmt::format("KVM_EXIT_INTERNAL_ERROR suberror {}", internal.suberror);
  if (internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
    text += " (KVM could not emulate an instruction)";
  }
  const auto count = std::min<std::size_t>(internal.ndata, std::size(internal.data));
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format(" {:#x}", std::uint64_t{internal.data[i]});
  }
  if (const auto regs = GetRegs()) {
    text += fmt::format(", rip {:#x}", std::uint64_t{regs->rip});
  }
  return ExitBroken{std::move(text)};
}

Result<void> Vcpu::SetCpuid(std::span<const kvm_cpuid_entry2> entries) {
  std::vector<std::byte> bytes(sizeof(kvm_cpuid2) + entries.size_bytes());
  kvm_cpuid2 header{};
  header.nent = static_cast<std::uint32_t>(entries.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, entries.data(), entries.size_bytes());
  if (RetryIoctl(fd_.get(), KVM_SET_CPUID2, bytes.data()) < 0) {
    return FailErrno(errno, "KVM_SET_CPUID2 with {} entries", entries.size());
  }
  return {};
}

#define TIDEVM_VCPU_STATE(Name, type, IOCTL)                          \
  Result<type> Vcpu::Get##Name() const {                              \
    return Get<type>(fd_.get(), KVM_GET_##IOCTL, "KVM_GET_" #IOCTL);  \
  }                                                                   \
  Result<void> Vcpu::Set##Name(const type& state) {                   \
    return Set(fd_.get(), KVM_SET_##IOCTL, "KVM_SET_" #IOCTL, state); \
  }
TIDEVM_VCPU_STATE(Regs, kvm_regs, REGS)
TIDEVM_VCPU_STATE(Sregs, kvm_sregs, SREGS)
TIDEVM_VCPU_STATE(Xsave, XsaveArea, XSAVE)
TIDEVM_VCPU_STATE(Xcrs, kvm_xcrs, XCRS)
TIDEVM_VCPU_STATE(DebugRegs, kvm_debugregs, DEBUGREGS)
TIDEVM_VCPU_STATE(Lapic, kvm_lapic_state, LAPIC)
TIDEVM_VCPU_STATE(Events, kvm_vcpu_events, VCPU_EVENTS)
TIDEVM_VCPU_STATE(MpState, kvm_mp_state, MP_STATE)
#undef TIDEVM_VCPU_STATE

Result<std::vector<kvm_msr_entry>> Vcpu::GetMsrs(std::span<const std::uint32_t> indices) const {
  std::vector<kvm_msr_entry> wanted;
  wanted.reserve(indices.size());
  for (const std::uint32_t index : indices) {
    wanted.push_back({.index = index, .reserved = 0, .data = 0});
  }
  std::vector<kvm_msr_entry> got;
  got.reserve(wanted.size());
  // KVM stops at the first one that it refuses and says how many went well before it.
  for (std::span<const kvm_msr_entry> rest = wanted; !rest.empty();) {
    const auto piece = rest.first(std::min(rest.size(), kMostMsrs));
    std::vector<std::byte> bytes = PackMsrs(piece);
    const int answer = RetryIoctl(fd_.get(), KVM_GET_MSRS, bytes.data());
    if (answer < 0) {
      return FailErrno(errno, "KVM_GET_MSRS");
    }
    const auto count = static_cast<std::size_t>(answer);
    const std::size_t old_size = got.size();
    got.resize(old_size + count);
    if (count > 0) {
      std::memcpy(got.data() + old_size, bytes.data() + sizeof(kvm_msrs),
                  count * sizeof(kvm_msr_entry));
    }
    // One that it refused is left out.
    rest = rest.subspan(count == piece.size() ? count : count + 1);
  }
  return got;
}

Result<std::vector<std::uint32_t>> Vcpu::SetMsrs(std::span<const kvm_msr_entry> entries) {
  std::vector<std::uint32_t> refused;
  while (!entries.empty()) {
    const auto piece = entries.first(std::min(entries.size(), kMostMsrs));
    std::vector<std::byte> bytes = PackMsrs(piece);
    const int answer = RetryIoctl(fd_.get(), KVM_SET_MSRS, bytes.data());
    if (answer < 0) {
      return FailErrno(errno, "KVM_SET_MSRS");
    }
    const auto count = static_cast<std::size_t>(answer);
    if (count < piece.size()) {
      refused.push_back(piece[count].index);
    }
    entries = entries.subspan(count < piece.size() ? count + 1 : count);
  }
  return refused;
}

void Vcpu::FailMsrWrite() { run_->msr.error = 1; }

void Vcpu::NotePaused() { static_cast<void>(RetryIoctl(fd_.get(), KVM_KVMCLOCK_CTRL, 0)); }

}  // namespace tidevm::kvm
