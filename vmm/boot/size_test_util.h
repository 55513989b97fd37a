// Units for tests.
#pragma once

#include <cstdint>

namespace tidevm::boot {

inline constexpr std::uint64_t kMiB = 1ULL << 20;
inline constexpr std::uint64_t kGiB = 1ULL << 30;

}  // namespace tidevm::boot
