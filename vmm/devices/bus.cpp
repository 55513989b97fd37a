#include "vmm/devices/bus.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace tidevm::devices {

Result<void> Bus::Add(std::uint64_t base, std::uint64_t size, IoDevice& device) {
  if (size == 0) {
    return Fail(ErrorCode::kInvalidArgument, "bus range of {} at {:#x} is empty", device.Name(),
                base);
  }
  const std::uint64_t last_offset = size - 1;
  if (last_offset > std::numeric_limits<std::uint64_t>::max() - base) {
    return Fail(ErrorCode::kInvalidArgument,
                "bus range of {} at {:#x}, {:#x} long, runs past the end of the address space",
                device.Name(), base, size);
  }
  const auto next = ranges_.upper_bound(base);
  const auto refuse = [&](const std::pair<const std::uint64_t, Range>& other) {
    return Fail(ErrorCode::kBusy, "bus range of {} at {:#x}, {:#x} long, meets that of {} at {:#x}",
                device.Name(), base, size, other.second.device->Name(), other.first);
  };
  if (next != ranges_.end() && next->first - base <= last_offset) {
    return refuse(*next);
  }
  if (next != ranges_.begin()) {
    const auto previous = std::prev(next);
    if (base - previous->first < previous->second.size) {
      return refuse(*previous);
    }
  }
  ranges_.emplace(base, Range{.size = size, .device = &device});
  return {};
}

bool Bus::Read(std::uint64_t address, std::span<std::byte> data) const {
  std::uint64_t offset = 0;
  if (const Range* range = Find(address, data.size(), offset)) {
    range->device->Read(offset, data);
    return true;
  }
  std::ranges::fill(data, std::byte{0xff});
  return false;
}

bool Bus::Write(std::uint64_t address, std::span<const std::byte> data) const {
  std::uint64_t offset = 0;
  if (const Range* range = Find(address, data.size(), offset)) {
    range->device->Write(offset, data);
    return true;
  }
  return false;
}

const Bus::Range* Bus::Find(std::uint64_t address, std::size_t size, std::uint64_t& offset) const {
  const auto next = ranges_.upper_bound(address);
  if (next == ranges_.begin() || size == 0) {
    return nullptr;
  }
  const auto& [base, range] = *std::prev(next);
  offset = address - base;
  // In this form neither comparison can wrap.
  if (offset >= range.size || size > range.size - offset) {
    return nullptr;
  }
  return &range;
}

}  // namespace tidevm::devices
