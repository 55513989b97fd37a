#include "vmm/control/events.h"

#include <gtest/gtest.h>

#include "vmm/control/machine_json.h"

namespace tidevm::control {
namespace {

void ExpectMessage(const Event& event, std::string_view name, std::string_view data) {
  const EventMessage message = ToMessage(event);
  EXPECT_EQ(message.name, name);
  EXPECT_EQ(message.data, Json::parse(data, nullptr, false)) << name;
}

TEST(Events, WithoutData) {
  ExpectMessage(event::Stop{}, "STOP", "null");
  ExpectMessage(event::Resume{}, "RESUME", "null");
  ExpectMessage(event::Powerdown{}, "POWERDOWN", "null");
}

TEST(Events, CausesAsQemuNamesThem) {
  ExpectMessage(event::Reset{.guest = true, .reason = ShutdownCause::kGuestReset}, "RESET",
                R"({"guest": true, "reason": "guest-reset"})");
  ExpectMessage(event::Reset{.guest = false, .reason = ShutdownCause::kHostQmpSystemReset}, "RESET",
                R"({"guest": false, "reason": "host-qmp-system-reset"})");
  ExpectMessage(event::Shutdown{.guest = false, .reason = ShutdownCause::kHostQmpQuit}, "SHUTDOWN",
                R"({"guest": false, "reason": "host-qmp-quit"})");
  ExpectMessage(event::GuestPanicked{}, "GUEST_PANICKED", R"({"action": "poweroff"})");
}

TEST(Events, DevicesWithAndWithoutAnId) {
  ExpectMessage(event::AcpiDeviceOst{.device_id = "d", .cpu = 3, .report = {3, 0x84}},
                "ACPI_DEVICE_OST",
                R"({"info": {"device": "d", "slot": "3", "slot-type": "CPU", "source": 3,
                             "status": 132}})");
  ExpectMessage(event::AcpiDeviceOst{.device_id = "", .cpu = 3, .report = {1, 0}},
                "ACPI_DEVICE_OST",
                R"({"info": {"slot": "3", "slot-type": "CPU", "source": 1, "status": 0}})");
  ExpectMessage(event::DeviceDeleted{.device_id = "d", .cpu = 3}, "DEVICE_DELETED",
                R"({"device": "d", "path": "/machine/peripheral/d"})");
  ExpectMessage(event::DeviceDeleted{.device_id = "", .cpu = 1, .boot_cpu = true}, "DEVICE_DELETED",
                R"({"path": "/machine/unattached/device[1]"})");
  ExpectMessage(event::DeviceUnplugGuestError{.device_id = "", .cpu = 3},
                "DEVICE_UNPLUG_GUEST_ERROR", R"({"path": "/machine/peripheral-anon/device[3]"})");
}

TEST(Events, TidevmsOwn) {
  event::VcpuOperation operation{.id = 5,
                                 .cpu = 2,
                                 .kind = OperationKind::kRemove,
                                 .phase = "notified",
                                 .outcome = Outcome::kPending,
                                 .reason = "",
                                 .since_request = std::chrono::microseconds(3)};
  ExpectMessage(operation, "VCPU_OPERATION",
                R"({"id": 5, "cpu": 2, "kind": "remove", "phase": "notified",
                    "outcome": "pending", "since-request-ns": 3000})");
  operation.outcome = Outcome::kRefused;
  operation.reason = "busy";
  ExpectMessage(operation, "VCPU_OPERATION",
                R"({"id": 5, "cpu": 2, "kind": "remove", "phase": "notified",
                    "outcome": "refused", "reason": "busy", "since-request-ns": 3000})");
}

TEST(Events, VcpuStateSaysWhatIsKnownOfOnline) {
  ExpectMessage(event::VcpuState{.cpu = 1, .state = "parked"}, "VCPU_STATE",
                R"({"cpu": 1, "state": "parked", "online": "unknown"})");
  ExpectMessage(event::VcpuState{.cpu = 1, .state = "running", .online = true}, "VCPU_STATE",
                R"({"cpu": 1, "state": "running", "online": "yes"})");
  ExpectMessage(event::VcpuState{.cpu = 1, .state = "running", .online = false}, "VCPU_STATE",
                R"({"cpu": 1, "state": "running", "online": "no"})");
}

TEST(Events, LineHasTheTimeInTwoParts) {
  const auto when = std::chrono::system_clock::time_point(std::chrono::microseconds(1'234'567'890));
  EXPECT_EQ(EventLine("STOP", nullptr, when),
            "{\"event\":\"STOP\",\"timestamp\":{\"microseconds\":567890,\"seconds\":1234}}\r\n");
}

}  // namespace
}  // namespace tidevm::control
