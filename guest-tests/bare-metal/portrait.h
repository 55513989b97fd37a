// All that a vCPU's guest can see of its own state, as one processor takes it of itself.
#pragma once

#include <cstdint>

#include "guest-tests/bare-metal/runtime/processors.h"

namespace tidevm::bare_metal {

/// One value, and what it is.
struct Feature {
  const char* name;      // "MSR", "local APIC register", ...
  std::uint64_t number;  // which of them
  bool readable;         // an MSR may not be there
  std::uint64_t value;
  bool operator==(const Feature&) const = default;
};

struct Portrait {
  static constexpr unsigned kMostFeatures = 192;
  Feature features[kMostFeatures];
  unsigned count;
};

/// Of the processor that this runs on, from its arrival at the trampoline on.
void Take(Portrait& portrait, const EntryState& entry);

/// Changes everything in the portrait that can be changed without harm to the code that runs.
void ChangeAll();

/// Ends with every general register changed, and spins.
[[noreturn]] void SpinWithChangedRegisters();

}  // namespace tidevm::bare_metal
