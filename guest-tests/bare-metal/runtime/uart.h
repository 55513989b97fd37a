// The part of a 16550 that the guests use. Source: PC16550D data sheet, 8.0 "Registers".
#pragma once

#include <cstdint>

#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal::uart {

inline constexpr std::uint16_t kData = layout::kUartPort + 0;
inline constexpr std::uint16_t kLineStatus = layout::kUartPort + 5;
inline constexpr std::uint8_t kDataReady = 1U << 0;
inline constexpr std::uint8_t kTransmitterReady = 1U << 5;
inline constexpr unsigned kFifoSize = 16;  // that many may follow each other once it is ready

}  // namespace tidevm::bare_metal::uart
