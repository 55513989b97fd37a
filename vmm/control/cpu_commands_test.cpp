// device_add and device_del as QEMU's clients use them.
#include "vmm/control/cpu_commands.h"

#include "vmm/control/commands_test_util.h"

namespace tidevm::control {
namespace {

using testing::ElementsAre;

TEST_F(CommandsTest, DeviceAddTakesAPlace) {
  EXPECT_EQ(Ask("device_add", R"({"driver": "host-x86_64-cpu", "id": "cpu2", "socket-id": 0,
                                  "core-id": 2, "thread-id": 0})"),
            Returned("{}"));
  EXPECT_EQ(Ask("device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 3,
                                  "thread-id": 0})"),
            Returned("{}"));
  EXPECT_THAT(machine_.calls, ElementsAre("add 2 \"cpu2\"", "add 3 \"\""));
}

TEST_F(CommandsTest, DeviceAddRefusesWhatIsWrongBeforeAnythingHappens) {
  machine_.Plug(3, "taken");
  const std::string place = R"(, "socket-id": 0, "core-id": 2, "thread-id": 0})";
  const std::string cpu = R"({"driver": "host-x86_64-cpu")";
  ExpectError("device_add", "{}", "Parameter 'driver' is missing");
  ExpectError("device_add", R"({"driver": 1})",
              "Invalid parameter type for 'driver', expected: string");
  ExpectError("device_add", R"({"driver": "e1000")" + place,
              "'e1000' is not a valid device model name; only 'host-x86_64-cpu' is");
  ExpectError("device_add", cpu + R"(, "mac": "x")" + place, "Parameter 'mac' is unexpected");
  ExpectError("device_add", cpu + "}", "CPU socket-id is not set");
  ExpectError("device_add", cpu + R"(, "socket-id": 0, "core-id": 4, "thread-id": 0})",
              "Invalid CPU core-id: 4 must be in range 0:3");
  ExpectError("device_add", cpu + R"(, "socket-id": 0, "core-id": -1, "thread-id": 0})",
              "Invalid CPU core-id: -1 must be in range 0:3");
  ExpectError("device_add", cpu + R"(, "socket-id": 0, "core-id": 2.0, "thread-id": 0})",
              "Invalid parameter type for 'core-id', expected: integer");
  ExpectError("device_add",
              cpu + R"(, "socket-id": 0, "core-id": 18446744073709551615, "thread-id": 0})",
              "Invalid parameter type for 'core-id', expected: integer");
  ExpectError("device_add", cpu + R"(, "id": "taken")" + place, "Duplicate device ID 'taken'");
  ExpectError("device_add", cpu + R"(, "id": "1x")" + place,
              "Parameter 'id' expects an identifier: a letter, then letters, digits, '-', '.' and "
              "'_'");
}

TEST_F(CommandsTest, DeviceAddPassesTheMachinesRefusalOn) {
  machine_.error = Error{.code = ErrorCode::kBusy, .message = "vCPU 2 is plugged already"};
  const Json answer = Ask("device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0,
                                            "core-id": 2, "thread-id": 0})");
  EXPECT_EQ(answer["error"]["desc"], "vCPU 2 is plugged already");
  EXPECT_EQ(answer["error"]["class"], "GenericError");
}

TEST_F(CommandsTest, DeviceAddAndDeviceDelTellWhatTheHostCouldNotDo) {
  machine_.failure = "no memory";
  machine_.Plug(3, "cpu3");
  const Json add = Ask("device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0,
                                         "core-id": 2, "thread-id": 0})");
  EXPECT_EQ(add["error"]["desc"], "no memory");
  EXPECT_EQ(add["error"]["class"], "GenericError");
  EXPECT_EQ(Ask("device_del", R"({"id": "cpu3"})")["error"]["desc"], "no memory");
}

TEST_F(CommandsTest, DeviceDelTakesIdOrPath) {
  machine_.Plug(2, "cpu2");
  machine_.Plug(3);
  for (const char* id : {"cpu2", "/machine/peripheral/cpu2", "/machine/unattached/device[1]",
                         "/machine/peripheral-anon/device[3]"}) {
    EXPECT_EQ(Ask("device_del", fmt::format(R"({{"id": "{}"}})", id)), Returned("{}")) << id;
  }
  EXPECT_THAT(machine_.calls, ElementsAre("remove 2", "remove 2", "remove 1", "remove 3"));
}

TEST_F(CommandsTest, DeviceDelOfAnUnknownDevice) {
  for (const char* id : {"cpu9", "", "/machine/peripheral-anon/device[2]"}) {
    ExpectError("device_del", fmt::format(R"({{"id": "{}"}})", id),
                fmt::format("Device '{}' not found", id), "DeviceNotFound");
  }
  ExpectError("device_del", "{}", "Parameter 'id' is missing");
}

// What management layers do: the entry's props as they stand, its type as the driver, and an id.
TEST_F(CommandsTest, DeviceAddTakesEveryEntryOfQueryHotpluggableCpusVerbatim) {
  machine_.machine.sockets = 2;
  machine_.machine.cores = 1;
  machine_.machine.threads = 2;
  for (CpuId cpu = 0; cpu < 4; ++cpu) {
    machine_.cpus[cpu].place = {.socket = cpu / 2, .core = 0, .thread = cpu % 2};
  }
  const Json entries = Ask("query-hotpluggable-cpus")["return"];
  for (const Json& entry : entries) {
    if (!entry.contains("qom-path")) {
      Json arguments = entry["props"];
      arguments["driver"] = entry["type"];
      arguments["id"] = fmt::format("cpu-{}", machine_.calls.size());
      EXPECT_EQ(Ask("device_add", arguments.dump()), Returned("{}")) << arguments;
    }
  }
  EXPECT_THAT(machine_.calls, ElementsAre("add 3 \"cpu-0\"", "add 2 \"cpu-1\""));
}

TEST_F(CommandsTest, DeviceAddTakesTheLevelsThatEveryMachineHasOnce) {
  EXPECT_EQ(Ask("device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0, "die-id": 0,
                                  "module-id": 0, "node-id": 0, "core-id": 2, "thread-id": 0})"),
            Returned("{}"));
  EXPECT_THAT(machine_.calls, ElementsAre("add 2 \"\""));
}

TEST_F(CommandsTest, DeviceAddRefusesASecondDieModuleOrNode) {
  const std::string place =
      R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 2, "thread-id": 0, )";
  ExpectError("device_add", place + R"("die-id": 1})",
              "Invalid CPU die-id: 1 must be in range 0:0");
  ExpectError("device_add", place + R"("module-id": -1})",
              "Invalid CPU module-id: -1 must be in range 0:0");
  ExpectError("device_add", place + R"("node-id": 1})",
              "invalid node-id 1, must be 0: the guest has one NUMA node");
}

TEST_F(CommandsTest, DeviceAddTakesAnApicIdInPlaceOfTheProps) {
  for (VcpuStatus& vcpu : machine_.cpus) {
    vcpu.apic_id = 2 * vcpu.cpu;
  }
  EXPECT_EQ(Ask("device_add", R"({"driver": "host-x86_64-cpu", "id": "a", "apic-id": 4})"),
            Returned("{}"));
  EXPECT_EQ(Ask("device_add", R"({"driver": "host-x86_64-cpu", "apic-id": 6, "socket-id": 0,
                                  "die-id": 0, "core-id": 3})"),
            Returned("{}"));
  EXPECT_THAT(machine_.calls, ElementsAre("add 2 \"a\"", "add 3 \"\""));
}

TEST_F(CommandsTest, DeviceAddRefusesAnApicIdThatIsNobodysOrAnothersPlace) {
  const std::string cpu = R"({"driver": "host-x86_64-cpu", "apic-id": )";
  for (const char* id : {"4", "-1", "4294967298"}) {
    ExpectError(
        "device_add", cpu + id + "}",
        fmt::format("Invalid CPU with APIC ID {}; query-vcpus lists those of the 4 possible "
                    "CPUs",
                    id));
  }
  ExpectError("device_add", cpu + R"(2, "core-id": 1})",
              "property core-id: 1 doesn't match set apic-id: 0x2 (core-id: 2)");
}

TEST_F(CommandsTest, DeviceIdIsTakenUntilItsCpuIsGone) {
  machine_.Plug(3, "taken");
  machine_.cpus[3].wanted = false;  // on its way out: the thread still runs
  const std::string add =
      R"({"driver": "host-x86_64-cpu", "id": "taken", "socket-id": 0, "core-id": 2,
          "thread-id": 0})";
  ExpectError("device_add", add, "Duplicate device ID 'taken'");
  machine_.cpus[3].acpi_present = false;
  machine_.cpus[3].thread_id.reset();
  EXPECT_EQ(Ask("device_add", add), Returned("{}"));
}

TEST_F(CommandsTest, DeviceDelPassesTheMachinesRefusalOn) {
  machine_.error = Error{.code = ErrorCode::kInvalidArgument, .message = "vCPU 0 stays"};
  const Json answer = Ask("device_del", R"({"id": "/machine/unattached/device[0]"})");
  EXPECT_EQ(answer["error"]["class"], "GenericError");
  EXPECT_EQ(answer["error"]["desc"], "vCPU 0 stays");
}

}  // namespace
}  // namespace tidevm::control
