#include "vmm/vcpu/vcpu_state.h"

namespace tidevm::vcpu {

std::optional<VcpuState> NextState(VcpuState state, VcpuEvent event) {
  using enum VcpuState;
  using enum VcpuEvent;
  switch (state) {
    case kAbsent:
      return event == kCreate ? std::optional(kCreated) : std::nullopt;
    case kCreated:
      return event == kStart ? std::optional(kRunning) : std::nullopt;
    case kRunning:
      switch (event) {
        case kUnplugRequest:
          return kUnplugRequested;
        case kEject:
          return kEjecting;
        case kFail:
          return kFailed;
        default:
          return std::nullopt;
      }
    case kUnplugRequested:
      switch (event) {
        case kUnplugRefused:
          return kRunning;
        case kEject:
          return kEjecting;
        case kFail:
          return kFailed;
        default:
          return std::nullopt;
      }
    case kEjecting:
      // A thread that fails while it is being ended has ended all the same.
      return event == kJoined ? std::optional(kParked) : std::nullopt;
    case kParked:
      return event == kRevive ? std::optional(kCreated) : std::nullopt;
    case kFailed:
      switch (event) {
        case kUnplugRequest:  // a guest that has it registered is asked as for any other
        case kUnplugRefused:
          return kFailed;
        case kEject:
          return kEjecting;
        default:
          return std::nullopt;
      }
  }
  return std::nullopt;
}

std::string_view ToString(VcpuState state) {
  switch (state) {
    case VcpuState::kAbsent:
      return "absent";
    case VcpuState::kCreated:
      return "created";
    case VcpuState::kRunning:
      return "running";
    case VcpuState::kUnplugRequested:
      return "unplug-requested";
    case VcpuState::kEjecting:
      return "ejecting";
    case VcpuState::kParked:
      return "parked";
    case VcpuState::kFailed:
      return "failed";
  }
  return "?";
}

std::string_view ToString(VcpuEvent event) {
  switch (event) {
    case VcpuEvent::kCreate:
      return "create";
    case VcpuEvent::kStart:
      return "start";
    case VcpuEvent::kUnplugRequest:
      return "unplug request";
    case VcpuEvent::kUnplugRefused:
      return "unplug refused";
    case VcpuEvent::kEject:
      return "eject";
    case VcpuEvent::kJoined:
      return "joined";
    case VcpuEvent::kRevive:
      return "revive";
    case VcpuEvent::kFail:
      return "fail";
  }
  return "?";
}

}  // namespace tidevm::vcpu
