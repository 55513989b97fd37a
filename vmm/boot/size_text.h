// Sizes as people read them, for messages.
#pragma once

#include <cstdint>
#include <string>

namespace tidevm::boot {

/// 13631488 as "13,631,488".
std::string Grouped(std::uint64_t number);

/// Whole mebibytes as "128 MiB", anything else as "13,631,489 bytes".
std::string SizeText(std::uint64_t bytes);

/// The smallest number of whole mebibytes that holds `bytes`.
std::uint64_t MebibytesFor(std::uint64_t bytes);

}  // namespace tidevm::boot
