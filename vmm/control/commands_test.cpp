#include "vmm/control/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmm/control/commands_test_util.h"

namespace tidevm::control {
namespace {

using testing::ElementsAre;

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
  EXPECT_THAT(
      names, testing::UnorderedElementsAre(
                 "qmp_capabilities", "query-version", "query-commands", "query-status",
                 "query-name", "query-kvm", "query-cpus-fast", "query-hotpluggable-cpus",
                 "query-acpi-ospm-status", "device_add", "device_del", "stop", "cont",
                 "system_powerdown", "system_reset", "quit", "query-vcpus", "query-vcpu-operations",
                 "set-vcpus", "cancel-vcpu-operation", "set-vcpu-affinity", "query-metrics"));
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

// Whatever else is right.
Json SampleArguments(const CommandSpec& command) {
  Json arguments = Json::object();
  for (const ArgumentSpec& spec : command.arguments) {
    switch (spec.type) {
      case ArgumentType::kString:
        arguments[spec.name] = "x";
        break;
      case ArgumentType::kInteger:
        arguments[spec.name] = 1;
        break;
      case ArgumentType::kBoolean:
        arguments[spec.name] = true;
        break;
      case ArgumentType::kStringList:
        arguments[spec.name] = Json::array();
        break;
    }
  }
  return arguments;
}

TEST_F(CommandsTest, EveryCommandRefusesUnknownArguments) {
  for (const CommandSpec& command : Commands()) {
    Json arguments = SampleArguments(command);
    arguments["bogus"] = 1;
    ExpectError(command.name, arguments.dump(), "Parameter 'bogus' is unexpected");
  }
}

TEST_F(CommandsTest, UnknownCommand) {
  ExpectError("query-pci", "{}", "The command query-pci has not been found", "CommandNotFound");
  ExpectError("qmp_capabilities", "{}",
              "Capabilities negotiation is already complete, command ignored", "CommandNotFound");
}

}  // namespace
}  // namespace tidevm::control
