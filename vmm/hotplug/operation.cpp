#include "vmm/hotplug/operation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace tidevm::hotplug {
namespace {

constexpr std::uint32_t kOstEventOspmEject = 0x103;
constexpr std::uint32_t kOstEventOspmInsertion = 0x200;

// ACPI 6.4, 6.3.5 "_OST": general processing, ejection request (source events 0x3 and 0x103) and
// insertion processing (source event 0x200) status codes. For a device check there are the general
// ones only, but Linux reports EPERM and EBUSY of any event as 0x80 and 0x82
// (drivers/acpi/scan.c, acpi_device_hotplug()).
std::string_view StatusName(std::uint32_t event, std::uint32_t status) {
  switch (status) {
    case 0x00:
      return "success";
    case 0x01:
      return "non-specific failure";
    case 0x02:
      return "unrecognised notify code";
    default:
      break;
  }
  if (event == kOstEventEjectRequest || event == kOstEventOspmEject) {
    switch (status) {
      case 0x80:
        return "ejection not supported by the guest's OS";
      case 0x81:
        return "device in use by an application";
      case 0x82:
        return "device busy";
      case 0x83:
        return "ejection dependency is busy or not supported";
      case 0x84:
        return "ejection in progress";
      default:
        break;
    }
  } else if (event == kOstEventOspmInsertion) {
    switch (status) {
      case 0x80:
        return "insertion in progress";
      case 0x81:
        return "device driver load failure";
      case 0x82:
        return "insertion not supported by the guest's OS";
      default:
        break;
    }
  } else if (event == kOstEventDeviceCheck) {
    switch (status) {
      case 0x80:
        return "not permitted by the guest's OS";
      case 0x82:
        return "device busy";
      default:
        break;
    }
  }
  return "unknown status";
}

}  // namespace

std::string_view ToString(Phase phase) {
  switch (phase) {
    case Phase::kRequested:
      return "requested";
    case Phase::kCreated:
      return "created";
    case Phase::kStarted:
      return "started";
    case Phase::kNotified:
      return "notified";
    case Phase::kAcknowledged:
      return "acknowledged";
    case Phase::kRegistered:
      return "registered";
    case Phase::kBooting:
      return "booting";
    case Phase::kOnline:
      return "online";
    case Phase::kOstInProgress:
      return "ost-in-progress";
    case Phase::kGoingDown:
      return "going-down";
    case Phase::kEjected:
      return "ejected";
    case Phase::kJoined:
      return "joined";
    case Phase::kParked:
      return "parked";
  }
  return "?";
}

bool Operation::HasReachedSinceNotified(Phase phase) const {
  // No std::views::reverse: clang 14 cannot compile GCC 12's.
  const auto found = std::find_if(reached.rbegin(), reached.rend(), [phase](const Reached& reach) {
    return reach.phase == phase || reach.phase == Phase::kNotified;
  });
  return found != reached.rend() && found->phase == phase;
}

bool Operation::CanBeAnsweredAt(Clock::time_point when) const {
  const auto notified = std::find_if(reached.rbegin(), reached.rend(), [](const Reached& reach) {
    return reach.phase == Phase::kNotified;
  });
  return notified != reached.rend() && notified->when <= when;
}

std::string DescribeOst(std::uint32_t event, std::uint32_t status) {
  return fmt::format("_OST event {:#x} status {:#x}: {}", event, status, StatusName(event, status));
}

}  // namespace tidevm::hotplug
