#include "vmm/devices/pvpanic_device.h"

#include <algorithm>

namespace tidevm::devices {

void PvpanicDevice::Read(std::uint64_t offset, std::span<std::byte> data) {
  if (offset != 0 || data.size() != 1) {
    std::ranges::fill(data, std::byte{0xff});
    return;
  }
  data[0] = std::byte{kPanicked | kCrashLoaded};
}

void PvpanicDevice::Write(std::uint64_t offset, std::span<const std::byte> data) {
  if (offset != 0 || data.size() != 1) {
    return;
  }
  const auto event = std::to_integer<std::uint8_t>(data[0]);
  if ((event & kPanicked) != 0) {
    events_.OnPanicked();
  } else if ((event & kCrashLoaded) != 0) {
    events_.OnCrashLoaded();
  }
}

}  // namespace tidevm::devices
