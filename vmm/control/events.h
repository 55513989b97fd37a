// What the machine tells every client of the control socket.
// Names and members as in QEMU's qapi/run-state.json, qdev.json and acpi.json; VCPU_OPERATION and
// VCPU_STATE are tidevm's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "vmm/control/machine_control.h"

namespace tidevm::control {

/// QMP's ShutdownCause, the part of it that tidevm has.
enum class ShutdownCause {
  kHostError,
  kHostQmpQuit,
  kHostQmpSystemReset,
  kHostSignal,
  kHostUi,
  kGuestShutdown,
  kGuestReset,
  kGuestPanic,
};

namespace event {

struct Stop {};       // STOP: every vCPU has left the guest
struct Resume {};     // RESUME
struct Powerdown {};  // POWERDOWN: the power button was pressed
struct Reset {        // RESET
  bool guest = false;
  ShutdownCause reason = ShutdownCause::kGuestReset;
};
struct Shutdown {  // SHUTDOWN: the VM is about to end
  bool guest = false;
  ShutdownCause reason = ShutdownCause::kGuestShutdown;
};
struct GuestPanicked {                   // GUEST_PANICKED
  std::string_view action = "poweroff";  // QMP's GuestPanicAction: pause, poweroff, run
};

/// ACPI_DEVICE_OST: the guest called _OST of a CPU. The slot is the CPU's id.
struct AcpiDeviceOst {
  std::string device_id{};  // "": member `device` is left out
  CpuId cpu = 0;
  OstReport report{};
};

/// DEVICE_DELETED: the removal is complete and the id may be used again. Its path is what the
/// CPU had in query-cpus-fast: give the id it had until now, and whether it is a boot CPU.
struct DeviceDeleted {
  std::string device_id{};
  CpuId cpu = 0;
  bool boot_cpu = false;
};

/// DEVICE_UNPLUG_GUEST_ERROR: the guest refused the removal.
struct DeviceUnplugGuestError {
  std::string device_id{};
  CpuId cpu = 0;
  bool boot_cpu = false;
};

/// VCPU_OPERATION: an operation reached a phase, or ended. `phase` is the last one reached;
/// `outcome` is kPending in every event but the last. An operation that ends on a phase ("done")
/// is told of once, with both; one that ends otherwise repeats its last phase with the outcome.
struct VcpuOperation {
  std::uint64_t id = 0;
  CpuId cpu = 0;
  OperationKind kind = OperationKind::kAdd;
  std::string_view phase{};
  Outcome outcome = Outcome::kPending;
  std::string reason{};  // for people; "": the member is left out
  std::chrono::nanoseconds since_request{};
};

/// VCPU_STATE: a vCPU changed its state, or the guest put it online or offline.
struct VcpuState {
  CpuId cpu = 0;
  std::string_view state{};      // as VcpuStatus::state
  std::optional<bool> online{};  // as VcpuStatus::online
};

}  // namespace event

using Event =
    std::variant<event::Stop, event::Resume, event::Powerdown, event::Reset, event::Shutdown,
                 event::GuestPanicked, event::AcpiDeviceOst, event::DeviceDeleted,
                 event::DeviceUnplugGuestError, event::VcpuOperation, event::VcpuState>;

/// Where the machine's events go: the QMP server, or a test's list. Machine thread only.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  virtual void Publish(const Event& event) = 0;
};

}  // namespace tidevm::control
