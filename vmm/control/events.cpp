#include "vmm/control/events.h"

#include "vmm/control/machine_json.h"

namespace tidevm::control {
namespace {

Json DeviceData(const std::string& device_id, CpuId cpu, bool boot_cpu) {
  Json data = {{"path", QomPath(device_id, cpu, boot_cpu)}};
  if (!device_id.empty()) {
    data["device"] = device_id;
  }
  return data;
}

Json CauseData(bool guest, ShutdownCause reason) {
  return {{"guest", guest}, {"reason", ToString(reason)}};
}

EventMessage Message(const event::Stop& /*event*/) { return {"STOP", nullptr}; }
EventMessage Message(const event::Resume& /*event*/) { return {"RESUME", nullptr}; }
EventMessage Message(const event::Powerdown& /*event*/) { return {"POWERDOWN", nullptr}; }
EventMessage Message(const event::Reset& event) {
  return {"RESET", CauseData(event.guest, event.reason)};
}
EventMessage Message(const event::Shutdown& event) {
  return {"SHUTDOWN", CauseData(event.guest, event.reason)};
}
EventMessage Message(const event::GuestPanicked& event) {
  return {"GUEST_PANICKED", Json{{"action", event.action}}};
}
EventMessage Message(const event::AcpiDeviceOst& event) {
  VcpuStatus vcpu;
  vcpu.cpu = event.cpu;
  vcpu.device_id = event.device_id;
  vcpu.last_ost = event.report;
  return {"ACPI_DEVICE_OST", Json{{"info", ToOstInfo(vcpu)}}};
}
EventMessage Message(const event::DeviceDeleted& event) {
  return {"DEVICE_DELETED", DeviceData(event.device_id, event.cpu, event.boot_cpu)};
}
EventMessage Message(const event::DeviceUnplugGuestError& event) {
  return {"DEVICE_UNPLUG_GUEST_ERROR", DeviceData(event.device_id, event.cpu, event.boot_cpu)};
}
EventMessage Message(const event::VcpuOperation& event) {
  Json data = {{"id", event.id},
               {"cpu", event.cpu},
               {"kind", ToString(event.kind)},
               {"phase", event.phase},
               {"outcome", ToString(event.outcome)},
               {"since-request-ns", event.since_request.count()}};
  if (!event.reason.empty()) {
    data["reason"] = event.reason;
  }
  return {"VCPU_OPERATION", std::move(data)};
}
EventMessage Message(const event::VcpuState& event) {
  return {"VCPU_STATE",
          Json{{"cpu", event.cpu}, {"state", event.state}, {"online", YesNoUnknown(event.online)}}};
}

}  // namespace

std::string_view ToString(ShutdownCause cause) {
  switch (cause) {
    case ShutdownCause::kHostError:
      return "host-error";
    case ShutdownCause::kHostQmpQuit:
      return "host-qmp-quit";
    case ShutdownCause::kHostQmpSystemReset:
      return "host-qmp-system-reset";
    case ShutdownCause::kHostSignal:
      return "host-signal";
    case ShutdownCause::kHostUi:
      return "host-ui";
    case ShutdownCause::kGuestShutdown:
      return "guest-shutdown";
    case ShutdownCause::kGuestReset:
      return "guest-reset";
    case ShutdownCause::kGuestPanic:
      return "guest-panic";
  }
  return "host-error";
}

EventMessage ToMessage(const Event& event) {
  return std::visit([](const auto& alternative) { return Message(alternative); }, event);
}

}  // namespace tidevm::control
