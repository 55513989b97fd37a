// Every kind of line that the server sends, held against the schema.
#include <set>

#include "vmm/control/machine_json.h"
#include "vmm/control/qmp_schema_test_util.h"
#include "vmm/control/qmp_test_util.h"

namespace tidevm::control {
namespace {

using std::chrono::nanoseconds;

constexpr OperationKind kKinds[] = {OperationKind::kAdd, OperationKind::kRemove};
constexpr Outcome kOutcomes[] = {Outcome::kPending, Outcome::kDone,      Outcome::kRefused,
                                 Outcome::kFailed,  Outcome::kCancelled, Outcome::kTimedOut};
constexpr std::string_view kPhases[] = {"requested",       "created",    "started", "notified",
                                        "acknowledged",    "registered", "booting", "online",
                                        "ost-in-progress", "going-down", "ejected", "joined",
                                        "parked"};
constexpr std::string_view kStates[] = {"absent",   "created", "running", "unplug-requested",
                                        "ejecting", "parked",  "failed"};
constexpr std::optional<bool> kYesNoUnknown[] = {true, false, std::nullopt};

// All that a machine can have to say, each value at least once.
void FillIn(FakeMachine& machine) {
  for (const OperationKind kind : kKinds) {
    for (const Outcome outcome : kOutcomes) {
      OperationStatus operation;
      operation.id = machine.begun.size() + 1;
      operation.kind = kind;
      operation.outcome = outcome;
      operation.deadline = kLongestDeadline;
      operation.reason = outcome > Outcome::kDone ? "why not" : "";
      for (const std::string_view phase : kPhases) {
        operation.phases.push_back({.phase = phase, .since_request = nanoseconds(5)});
      }
      machine.begun.push_back(operation);
      machine.counters.operations.push_back({.kind = kind, .outcome = outcome, .count = 3});
    }
    machine.counters.phases.push_back(
        {.kind = kind,
         .phase = "acknowledged",
         .latency = {.bounds = {nanoseconds(1), nanoseconds(2)}, .counts = {1, 0, 2}, .sum = {}}});
  }
  machine.counters.vcpus.push_back({.cpu = 3, .cpu_time = {}, .exits = {{"io", 4}, {"mmio", 0}}});
  std::size_t i = 0;
  for (VcpuStatus& vcpu : machine.cpus) {
    vcpu.state = kStates[i];
    vcpu.registered = kYesNoUnknown[i % 3];
    vcpu.online = kYesNoUnknown[(i + 1) % 3];
    vcpu.last_ost = OstReport{.event = 0x103, .status = 0xffffffff};
    vcpu.insert_event = true;
    ++i;
  }
  machine.Plug(2, "a-b.c_1");
  machine.Plug(3);
}

// Arguments that the server takes, for those commands that need some.
Json ArgumentsFor(std::string_view command) {
  static const Json table = {{"device_add", {{"driver", kCpuType}, {"apic-id", 2}}},
                             {"device_del", {{"id", "/machine/peripheral-anon/device[3]"}}},
                             {"set-vcpus", {{"count", 4}}},
                             {"cancel-vcpu-operation", {{"id", 1}}},
                             {"set-vcpu-affinity", {{"cpu", 0}, {"host-cpus", "0"}}}};
  return table.value(std::string(command), Json::object());
}

// `machine` is asked everything, the queries first.
void ExpectAnswersMatch(FakeMachine& machine) {
  for (const bool queries : {true, false}) {
    for (const CommandSpec& command : Commands()) {
      if (command.name.starts_with("query-") == queries && command.name != "qmp_capabilities") {
        const Json answer = AnswerOf(machine, command.name, ArgumentsFor(command.name), Json(7));
        EXPECT_EQ(Schema().Errors("#", answer), "") << command.name;
        ASSERT_TRUE(answer.contains("return")) << command.name << " " << answer;
        ExpectMatches(ReturnOf(command.name), answer["return"]);
      }
    }
  }
}

TEST(QmpSchemaMessages, AnswersOfAFreshMachine) {
  SchemaTestMachine machine;
  machine.Plug(3);
  ExpectAnswersMatch(machine);
}

TEST(QmpSchemaMessages, AnswersOfAMachineWithMuchToSay) {
  SchemaTestMachine machine;
  machine.begun.clear();
  FillIn(machine);
  machine.cpus[2].wanted = false;
  ExpectAnswersMatch(machine);
}

TEST(QmpSchemaMessages, AnswersOfAMachineWithNothingToSay) {
  SchemaTestMachine machine;
  machine.machine.name.clear();
  machine.cpus.clear();
  for (const CommandSpec& command : Commands()) {
    if (command.name.starts_with("query-")) {
      ExpectMatches(ReturnOf(command.name),
                    AnswerOf(machine, command.name, Json::object())["return"]);
    }
  }
}

TEST(QmpSchemaMessages, EveryRunStateAndEveryVcpuState) {
  FakeMachine machine;
  for (const RunState state :
       {RunState::kPrelaunch, RunState::kRunning, RunState::kPaused, RunState::kShutdown,
        RunState::kGuestPanicked, RunState::kInternalError}) {
    machine.state = state;
    ExpectMatches(ReturnOf("query-status"),
                  AnswerOf(machine, "query-status", Json::object())["return"]);
  }
  for (const std::string_view state : kStates) {
    machine.cpus[0].state = state;
    ExpectMatches(ReturnOf("query-vcpus"),
                  AnswerOf(machine, "query-vcpus", Json::object())["return"]);
  }
}

TEST(QmpSchemaMessages, Errors) {
  FakeMachine machine;
  std::set<std::string> classes;
  for (const Json& answer : {AnswerOf(machine, "query-pci", Json::object(), Json("x")),
                             AnswerOf(machine, "device_del", {{"id", "nobody"}}),
                             AnswerOf(machine, "stop", {{"bogus", 1}}, Json(nullptr)),
                             AnswerOf(machine, "qmp_capabilities", Json::object())}) {
    EXPECT_EQ(Schema().Errors("#", answer), "");
    ExpectMatches("#/definitions/error", answer);
    classes.insert(answer["error"]["class"]);
  }
  EXPECT_EQ(classes, (std::set<std::string>{"CommandNotFound", "DeviceNotFound", "GenericError"}));
}

std::vector<Event> Events() {
  std::vector<Event> events = {event::Stop{}, event::Resume{}, event::Powerdown{},
                               event::GuestPanicked{}};
  for (int i = 0; i <= static_cast<int>(ShutdownCause::kGuestPanic); ++i) {
    const auto reason = static_cast<ShutdownCause>(i);
    events.emplace_back(event::Reset{.guest = true, .reason = reason});
    events.emplace_back(event::Shutdown{.guest = false, .reason = reason});
  }
  for (const char* id : {"", "d-1"}) {
    events.emplace_back(event::AcpiDeviceOst{.device_id = id, .cpu = 3, .report = {3, 0x84}});
    for (const bool boot : {false, true}) {
      events.emplace_back(event::DeviceDeleted{.device_id = id, .cpu = 3, .boot_cpu = boot});
      events.emplace_back(
          event::DeviceUnplugGuestError{.device_id = id, .cpu = 3, .boot_cpu = boot});
    }
  }
  for (const OperationKind kind : kKinds) {
    for (const Outcome outcome : kOutcomes) {
      for (const std::string_view phase : kPhases) {
        events.emplace_back(
            event::VcpuOperation{.id = 1,
                                 .cpu = 2,
                                 .kind = kind,
                                 .phase = phase,
                                 .outcome = outcome,
                                 .reason = outcome > Outcome::kDone ? "why not" : "",
                                 .since_request = nanoseconds(9)});
      }
    }
  }
  for (const std::string_view state : kStates) {
    for (const std::optional<bool> online : kYesNoUnknown) {
      events.emplace_back(event::VcpuState{.cpu = 1, .state = state, .online = online});
    }
  }
  return events;
}

TEST(QmpSchemaMessages, EveryEvent) {
  std::set<std::size_t> alternatives;
  std::set<std::string> names;
  for (const Event& event : Events()) {
    alternatives.insert(event.index());
    const EventMessage message = ToMessage(event);
    names.emplace(message.name);
    const Json line =
        Json::parse(EventLine(message.name, message.data, std::chrono::system_clock::now()));
    EXPECT_EQ(Schema().Errors("#", line), "") << line;
    ExpectMatches(fmt::format("#/events/{}", message.name), line);
  }
  EXPECT_EQ(alternatives.size(), std::variant_size_v<Event>) << "an event has no example here";
  EXPECT_EQ(names.size(), Schema().document()["events"].size());
}

class QmpSchemaSocketTest : public QmpServerTest {};

TEST_F(QmpSchemaSocketTest, GreetingAndNegotiation) {
  Client client(path_);
  ExpectMatches("#/definitions/greeting", Next(client));
  client.Send(R"({"execute": "stop"})");
  ExpectMatches("#/definitions/error", Next(client));
  client.Send("nonsense\n");
  ExpectMatches("#/definitions/error", Next(client));
  client.Send(R"({"execute": "qmp_capabilities", "arguments": {"enable": []}, "id": {"a": [1]}})");
  const Json answer = Next(client);
  EXPECT_EQ(Schema().Errors("#/definitions/answer", answer), "");
  ExpectMatches(ReturnOf("qmp_capabilities"), answer["return"]);
}

}  // namespace
}  // namespace tidevm::control
