// The life of a vCPU, as architecture.md draws it.
#pragma once

#include <optional>
#include <string_view>

namespace tidevm::vcpu {

/// A pause (QMP stop) is not in here: it holds the threads of all vCPUs at a gate, whatever state
/// each is in, and would otherwise double every state that has a thread.
enum class VcpuState {
  kAbsent,           ///< never made: no descriptor, no thread
  kCreated,          ///< descriptor in pristine state, no thread
  kRunning,          ///< thread in its loop around KVM_RUN
  kUnplugRequested,  ///< as running; the guest has been asked to give it up
  kEjecting,         ///< the guest gave it up; the thread is being ended
  kParked,           ///< thread joined; descriptor kept, for KVM cannot destroy it
  kFailed,           ///< the thread ended by itself: KVM could not go on with this vCPU
};

enum class VcpuEvent {
  kCreate,
  kStart,
  kUnplugRequest,
  kUnplugRefused,  ///< by the guest, or taken back by the host
  kEject,          ///< by the guest, by a reset, or because the guest never took notice of it
  kJoined,
  kRevive,  ///< back to what it was at creation
  kFail,
};

/// The state after `event`, or nullopt where the event makes no sense in `state`.
std::optional<VcpuState> NextState(VcpuState state, VcpuEvent event);

/// Lower-case name for clients: "running", "unplug-requested".
std::string_view ToString(VcpuState state);
std::string_view ToString(VcpuEvent event);

}  // namespace tidevm::vcpu
