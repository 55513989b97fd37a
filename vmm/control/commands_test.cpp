#include "vmm/control/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/control/fake_machine.h"

namespace tidevm::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Json Parse(std::string_view text) { return Json::parse(text, nullptr, false); }

class CommandsTest : public testing::Test {
 protected:
  // The whole answer, or null where there is none yet.
  Json Ask(std::string_view command, std::string_view arguments = "{}") {
    answer_ = nullptr;
    Dispatch(machine_, {.command = std::string(command), .arguments = Parse(arguments), .id = {}},
             Reply([this](const Reply::Answer& answer) {
               answer_ = Parse(answer ? ReturnLine(*answer, std::nullopt)
                                      : ErrorLine(answer.error(), std::nullopt));
             }));
    return answer_;
  }
  void ExpectError(std::string_view command, std::string_view arguments, std::string_view desc,
                   std::string_view error_class = "GenericError") {
    const Json expected = {{"error", {{"class", error_class}, {"desc", desc}}}};
    EXPECT_EQ(Ask(command, arguments), expected) << command << " " << arguments;
    EXPECT_THAT(machine_.calls, IsEmpty());
  }
  static Json Returned(std::string_view text) {
    Json message = Json::object();
    message["return"] = Parse(text);
    return message;
  }

  FakeMachine machine_;
  Json answer_;
};

TEST_F(CommandsTest, QueryVersion) {
  const Json version = Ask("query-version")["return"];
  EXPECT_EQ(version["package"], "tidevm");
  EXPECT_TRUE(version["qemu"]["major"].is_number_integer());
  EXPECT_TRUE(version["qemu"]["minor"].is_number_integer());
  EXPECT_TRUE(version["qemu"]["micro"].is_number_integer());
}

TEST_F(CommandsTest, QueryCommandsNamesThemAll) {
  std::vector<std::string> names;
  const Json answer = Ask("query-commands");
  for (const Json& entry : answer["return"]) {
    names.push_back(entry["name"]);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre(
                         "qmp_capabilities", "query-version", "query-commands", "query-status",
                         "query-name", "query-kvm", "query-cpus-fast", "query-hotpluggable-cpus",
                         "query-acpi-ospm-status", "device_add", "device_del", "stop", "cont",
                         "system_powerdown", "system_reset", "quit", "query-vcpus",
                         "query-vcpu-operations", "set-vcpus"));
}

TEST_F(CommandsTest, QueryStatusNamesTheRunState) {
  EXPECT_EQ(Ask("query-status"), Returned(R"({"running": true, "status": "running"})"));
  machine_.state = RunState::kGuestPanicked;
  EXPECT_EQ(Ask("query-status"), Returned(R"({"running": false, "status": "guest-panicked"})"));
}

TEST_F(CommandsTest, QueryNameAndKvm) {
  EXPECT_EQ(Ask("query-name"), Returned(R"({"name": "guest"})"));
  machine_.machine.name.clear();
  EXPECT_EQ(Ask("query-name"), Returned("{}"));
  EXPECT_EQ(Ask("query-kvm"), Returned(R"({"enabled": true, "present": true})"));
}

TEST_F(CommandsTest, QueryCpusFastListsCpusWithAThread) {
  machine_.Plug(3, "cpu-a");
  EXPECT_EQ(Ask("query-cpus-fast"), Returned(R"([
    {"cpu-index": 0, "qom-path": "/machine/unattached/device[0]", "thread-id": 1000,
     "props": {"socket-id": 0, "core-id": 0, "thread-id": 0}, "target": "x86_64"},
    {"cpu-index": 1, "qom-path": "/machine/unattached/device[1]", "thread-id": 1001,
     "props": {"socket-id": 0, "core-id": 1, "thread-id": 0}, "target": "x86_64"},
    {"cpu-index": 3, "qom-path": "/machine/peripheral/cpu-a", "thread-id": 1003,
     "props": {"socket-id": 0, "core-id": 3, "thread-id": 0}, "target": "x86_64"}])"));
}

TEST_F(CommandsTest, QueryHotpluggableCpusHasAPathOnlyForPluggedOnes) {
  machine_.Plug(2);
  EXPECT_EQ(Ask("query-hotpluggable-cpus"), Returned(R"([
    {"type": "host-x86_64-cpu", "vcpus-count": 1,
     "props": {"socket-id": 0, "core-id": 3, "thread-id": 0}},
    {"type": "host-x86_64-cpu", "vcpus-count": 1, "qom-path": "/machine/peripheral-anon/device[2]",
     "props": {"socket-id": 0, "core-id": 2, "thread-id": 0}},
    {"type": "host-x86_64-cpu", "vcpus-count": 1, "qom-path": "/machine/unattached/device[1]",
     "props": {"socket-id": 0, "core-id": 1, "thread-id": 0}},
    {"type": "host-x86_64-cpu", "vcpus-count": 1, "qom-path": "/machine/unattached/device[0]",
     "props": {"socket-id": 0, "core-id": 0, "thread-id": 0}}])"));
}

TEST_F(CommandsTest, QueryAcpiOspmStatus) {
  machine_.cpus.resize(2);
  machine_.cpus[1].device_id = "d1";
  machine_.cpus[1].last_ost = OstReport{.event = 3, .status = 0x84};
  EXPECT_EQ(Ask("query-acpi-ospm-status"), Returned(R"([
    {"slot": "0", "slot-type": "CPU", "source": 0, "status": 0},
    {"device": "d1", "slot": "1", "slot-type": "CPU", "source": 3, "status": 132}])"));
}

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

TEST_F(CommandsTest, SetVcpusByCountAndByList) {
  EXPECT_EQ(Ask("set-vcpus", R"({"count": 3})"), Returned(R"({"wanted": "0-2", "operations": [
      {"id": 1, "kind": "add", "cpu": 2, "outcome": "pending",
       "phases": [{"phase": "requested", "since-request-ns": 0}]}]})"));
  EXPECT_EQ(Ask("set-vcpus", R"({"cpus": "0,3"})")["return"]["wanted"], "0,3");
  EXPECT_EQ(Ask("set-vcpus", R"({"cpus": "0,3"})"),
            Returned(R"({"wanted": "0,3", "operations": []})"));
  EXPECT_THAT(machine_.calls, ElementsAre("set 0-2", "set 0,3", "set 0,3"));
}

TEST_F(CommandsTest, SetVcpusRefusesWhatIsWrong) {
  const std::string either =
      "Give either 'count', a number of vCPUs, or 'cpus', a list like \"0-3,6\"";
  ExpectError("set-vcpus", "{}", either);
  ExpectError("set-vcpus", R"({"count": 1, "cpus": "0"})", either);
  ExpectError("set-vcpus", R"({"count": "3"})",
              "Invalid parameter type for 'count', expected: integer");
  ExpectError("set-vcpus", R"({"count": -1})",
              "Parameter 'count' expects a number of vCPUs from 1 to 4, not -1");
  ExpectError("set-vcpus", R"({"count": 4294967297})",
              "Parameter 'count' expects a number of vCPUs from 1 to 4, not 4294967297");
  ExpectError("set-vcpus", R"({"count": 5})", "5 vCPUs asked for; 1 to 4 are possible");
  ExpectError("set-vcpus", R"({"cpus": "0-4"})", "CPU list \"0-4\": 4 is above the highest id, 3");
  ExpectError("set-vcpus", R"({"cpus": "0", "force": true})", "Parameter 'force' is unexpected");
}

TEST_F(CommandsTest, QueryVcpusShowsAllThatIsKnown) {
  machine_.cpus.resize(3);
  machine_.cpus.erase(machine_.cpus.begin(), machine_.cpus.begin() + 1);
  machine_.cpus[0].registered = true;
  machine_.cpus[0].cpu_time = std::chrono::milliseconds(5);
  machine_.cpus[0].last_ost = OstReport{.event = 1, .status = 0};
  machine_.cpus[0].device_id = "d";
  EXPECT_EQ(Ask("query-vcpus"), Returned(R"([
    {"cpu": 1, "apic-id": 1, "props": {"socket-id": 0, "core-id": 1, "thread-id": 0},
     "wanted": true, "state": "running", "thread-id": 1001, "cpu-time-ns": 5000000,
     "acpi-present": true, "insert-event": false, "remove-event": false, "registered": "yes",
     "last-ost": {"source": 1, "status": 0}, "device-id": "d",
     "qom-path": "/machine/peripheral/d"},
    {"cpu": 2, "apic-id": 2, "props": {"socket-id": 0, "core-id": 2, "thread-id": 0},
     "wanted": false, "state": "absent", "cpu-time-ns": 0, "acpi-present": false,
     "insert-event": false, "remove-event": false, "registered": "unknown"}])"));
}

TEST_F(CommandsTest, QueryVcpuOperations) {
  OperationStatus operation;
  operation.id = 7;
  operation.kind = OperationKind::kRemove;
  operation.cpu = 2;
  operation.outcome = Outcome::kRefused;
  operation.reason = "busy";
  operation.phases = {{"requested", std::chrono::nanoseconds(0)},
                      {"notified", std::chrono::nanoseconds(42)}};
  machine_.begun = {operation};
  EXPECT_EQ(Ask("query-vcpu-operations"), Returned(R"([
    {"id": 7, "kind": "remove", "cpu": 2, "outcome": "refused", "reason": "busy",
     "phases": [{"phase": "requested", "since-request-ns": 0},
                {"phase": "notified", "since-request-ns": 42}]}])"));
}

TEST_F(CommandsTest, StopAnswersWhenPaused) {
  EXPECT_EQ(Ask("stop"), nullptr);
  machine_.stop_done();
  EXPECT_EQ(answer_, Returned("{}"));
}

TEST_F(CommandsTest, RequestGivenUpByTheMachineIsAnsweredWithAnError) {
  EXPECT_EQ(Ask("stop"), nullptr);
  machine_.stop_done = nullptr;
  EXPECT_EQ(answer_["error"]["class"], "GenericError");
}

TEST_F(CommandsTest, PlainCommandsReachTheMachine) {
  for (const char* command : {"cont", "system_powerdown", "system_reset", "quit"}) {
    EXPECT_EQ(Ask(command), Returned("{}")) << command;
  }
  EXPECT_THAT(machine_.calls, ElementsAre("cont", "powerdown", "reset", "quit"));
}

TEST_F(CommandsTest, EveryCommandRefusesUnknownArguments) {
  for (const CommandSpec& command : Commands()) {
    const Json answer = Ask(command.name, R"({"driver": "x", "id": "x", "bogus": 1})");
    ASSERT_TRUE(answer.contains("error")) << command.name;
    EXPECT_THAT(answer["error"]["desc"].get<std::string>(), testing::HasSubstr("is unexpected"))
        << command.name;
  }
  EXPECT_THAT(machine_.calls, IsEmpty());
}

TEST_F(CommandsTest, UnknownCommand) {
  ExpectError("query-pci", "{}", "The command query-pci has not been found", "CommandNotFound");
  ExpectError("qmp_capabilities", "{}",
              "Capabilities negotiation is already complete, command ignored", "CommandNotFound");
}

}  // namespace
}  // namespace tidevm::control
