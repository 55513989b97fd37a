#include "vmm/devices/power_device.h"

#include <algorithm>

#include "tidevm/guest_layout.h"

namespace tidevm::devices {
namespace {

constexpr std::uint8_t kSleepTypeMask = 0x7U << layout::kSleepTypeShift;

}  // namespace

void PowerDevice::Read(std::uint64_t offset, std::span<std::byte> data) {
  if (data.size() != 1) {
    std::ranges::fill(data, std::byte{0xff});
    return;
  }
  // Sleep control and the reset register are for writing; sleep status never has anything to tell.
  const bool pressed = offset == layout::kPowerButtonOffset && TakePress();
  data[0] = pressed ? std::byte{1} : std::byte{0};
}

void PowerDevice::Write(std::uint64_t offset, std::span<const std::byte> data) {
  if (data.size() != 1) {
    return;
  }
  const auto value = std::to_integer<std::uint8_t>(data[0]);
  if (offset == layout::kSleepControlOffset) {
    const bool enabled = (value & layout::kSleepEnableBit) != 0;
    const auto type = (value & kSleepTypeMask) >> layout::kSleepTypeShift;
    if (enabled && type == layout::kSleepTypeS5) {
      events_.OnPowerOff();
    }
  } else if (offset == layout::kResetOffset && value == layout::kResetValue) {
    events_.OnReset();
  }
}

void PowerDevice::PressPowerButton() {
  const std::lock_guard lock(mutex_);
  if (!pressed_) {
    pressed_ = true;
    power_button_.Set(true);
  }
}

void PowerDevice::Reset() { TakePress(); }

bool PowerDevice::TakePress() {
  const std::lock_guard lock(mutex_);
  if (!pressed_) {
    return false;
  }
  pressed_ = false;
  power_button_.Set(false);
  return true;
}

}  // namespace tidevm::devices
