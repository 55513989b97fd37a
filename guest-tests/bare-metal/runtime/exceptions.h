// Exceptions: what nobody expects ends the guest with FAIL; what somebody does is an answer.
#pragma once

#include <cstdint>

namespace tidevm::bare_metal {

/// Each processor once, before anything can go wrong.
void LoadInterruptTable();

/// False: the processor answered with an exception, which for an MSR is #GP.
bool TryReadMsr(std::uint32_t msr, std::uint64_t& value);
bool TryWriteMsr(std::uint32_t msr, std::uint64_t value);

/// Shuts the processor down: an exception with no way to report it. A PC resets then.
[[noreturn]] void TripleFault();

}  // namespace tidevm::bare_metal
