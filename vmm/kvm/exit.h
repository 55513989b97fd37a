// Why KVM_RUN came back. Spans point into the shared run page and live until the next Run().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "tidevm/ids.h"

namespace tidevm::kvm {

/// A signal, or immediate_exit: look at what is asked of this vCPU (EINTR).
struct ExitInterrupted {};
/// The vCPU left its wait for INIT/SIPI, or some other blocked state: run again (EAGAIN).
struct ExitAwakened {};
/// KVM_EXIT_IO: `data` holds one or more (INS, OUTS) values of `width` bytes.
struct ExitIo {
  std::uint16_t port = 0;
  bool is_write = false;
  std::size_t width = 1;  // 1, 2 or 4
  std::span<std::byte> data;
};
/// KVM_EXIT_MMIO: up to 8 bytes.
struct ExitMmio {
  Gpa gpa = 0;
  bool is_write = false;
  std::span<std::byte> data;
};
/// KVM_EXIT_X86_WRMSR: a write that Vm::TrapMsrWrites() asked for. Unless Vcpu::FailMsrWrite() is
/// called, the guest takes it for done.
struct ExitMsrWrite {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
};
/// Halted for good: only where the interrupt controller is not KVM's.
struct ExitHalt {};
/// Triple fault.
struct ExitShutdown {};
/// KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY, or an errno of KVM_RUN: this vCPU cannot go on.
struct ExitBroken {
  std::string description;
};
/// A reason that tidevm has no use for; also fatal for the vCPU.
struct ExitUnsupported {
  std::uint32_t reason = 0;
};

using Exit = std::variant<ExitInterrupted, ExitAwakened, ExitIo, ExitMmio, ExitMsrWrite, ExitHalt,
                          ExitShutdown, ExitBroken, ExitUnsupported>;

/// For counters: of each alternative of Exit, in its order.
inline constexpr std::array<std::string_view, std::variant_size_v<Exit>> kExitNames = {
    "interrupted", "awakened", "io", "mmio", "msr", "halt", "shutdown", "broken", "unsupported"};

}  // namespace tidevm::kvm
