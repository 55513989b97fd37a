#include "vmm/control/vcpu_commands.h"

#include "vmm/control/commands_test_util.h"

namespace tidevm::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CommandsTest, SetVcpusByCountAndByList) {
  EXPECT_EQ(Ask("set-vcpus", R"({"count": 3})"), Returned(R"({"wanted": "0-2", "operations": [
      {"id": 1, "kind": "add", "cpu": 2, "outcome": "pending",
       "phases": [{"phase": "requested", "since-request-ns": 0}], "deadline-ms": 60000}]})"));
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
  machine_.cpus[0].online = false;
  machine_.cpus[0].cpu_time = std::chrono::milliseconds(5);
  machine_.cpus[0].last_ost = OstReport{.event = 1, .status = 0};
  machine_.cpus[0].device_id = "d";
  EXPECT_EQ(Ask("query-vcpus"), Returned(R"([
    {"cpu": 1, "apic-id": 1, "props": {"socket-id": 0, "core-id": 1, "thread-id": 0},
     "wanted": true, "state": "running", "thread-id": 1001, "cpu-time-ns": 5000000,
     "acpi-present": true, "insert-event": false, "remove-event": false, "registered": "yes",
     "online": "no", "affinity": "0-1", "last-ost": {"source": 1, "status": 0}, "device-id": "d",
     "qom-path": "/machine/peripheral/d"},
    {"cpu": 2, "apic-id": 2, "props": {"socket-id": 0, "core-id": 2, "thread-id": 0},
     "wanted": false, "state": "absent", "cpu-time-ns": 0, "acpi-present": false,
     "insert-event": false, "remove-event": false, "registered": "unknown",
     "online": "unknown"}])"));
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
  operation.deadline = std::chrono::seconds(5);
  machine_.begun = {operation};
  EXPECT_EQ(Ask("query-vcpu-operations"), Returned(R"([
    {"id": 7, "kind": "remove", "cpu": 2, "outcome": "refused", "reason": "busy",
     "phases": [{"phase": "requested", "since-request-ns": 0},
                {"phase": "notified", "since-request-ns": 42}], "deadline-ms": 5000}])"));
}

TEST_F(CommandsTest, DeadlineGoesToTheMachineWithEveryRequest) {
  machine_.Plug(1, "cpu1");
  Ask("set-vcpus", R"({"count": 3, "timeout-ms": 1})");
  Ask("set-vcpus", R"({"cpus": "0-2", "timeout-ms": 86400000})");
  Ask("device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 3, "thread-id": 0,
                        "timeout-ms": 250})");
  Ask("device_del", R"({"id": "cpu1", "timeout-ms": 7})");
  EXPECT_THAT(machine_.calls, ElementsAre("set 0-2 within 1 ms", "set 0-2 within 86400000 ms",
                                          "add 3 \"\" within 250 ms", "remove 1 within 7 ms"));
  EXPECT_EQ(Ask("query-vcpu-operations")["return"][0]["deadline-ms"], 1);
}

TEST_F(CommandsTest, DeadlineOutsideItsLimitsIsRefusedBeforeAnythingHappens) {
  machine_.Plug(1, "cpu1");
  const std::vector<std::pair<const char*, std::string>> commands = {
      {"set-vcpus", R"({"count": 3, "timeout-ms": )"},
      {"device_add", R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 3,
                         "thread-id": 0, "timeout-ms": )"},
      {"device_del", R"({"id": "cpu1", "timeout-ms": )"}};
  for (const auto& [command, arguments] : commands) {
    for (const char* value : {"0", "-1", "86400001", "9223372036854775807"}) {
      ExpectError(command, arguments + value + "}",
                  fmt::format("Parameter 'timeout-ms' expects milliseconds from 1 to 86400000, not "
                              "{}; without it the deadline is 60000",
                              value));
    }
    for (const char* value : {"1.5", "\"10\"", "null", "18446744073709551615"}) {
      ExpectError(command, arguments + value + "}",
                  "Invalid parameter type for 'timeout-ms', expected: integer");
    }
  }
}

TEST_F(CommandsTest, CancelAnswersWithTheOperationAsEnded) {
  Ask("set-vcpus", R"({"count": 3})");
  EXPECT_EQ(Ask("cancel-vcpu-operation", R"({"id": 1})"), Returned(R"(
    {"id": 1, "kind": "add", "cpu": 2, "outcome": "cancelled", "reason": "cancelled by its client",
     "phases": [{"phase": "requested", "since-request-ns": 0}], "deadline-ms": 60000})"));
  EXPECT_THAT(machine_.calls, ElementsAre("set 0-2", "cancel 1"));
}

TEST_F(CommandsTest, CancelPassesTheMachinesRefusalOn) {
  const Json missing = Ask("cancel-vcpu-operation", R"({"id": 9223372036854775807})");
  EXPECT_EQ(missing["error"]["class"], "GenericError");
  EXPECT_EQ(missing["error"]["desc"], "no pending operation has the id 9223372036854775807");
  machine_.error = Error{.code = ErrorCode::kBusy, .message = "operation 1 is past recall"};
  EXPECT_EQ(Ask("cancel-vcpu-operation", R"({"id": 1})")["error"]["desc"],
            "operation 1 is past recall");
}

TEST_F(CommandsTest, CancelRefusesWhatIsNoId) {
  ExpectError("cancel-vcpu-operation", "{}", "Parameter 'id' is missing");
  ExpectError("cancel-vcpu-operation", R"({"id": "1"})",
              "Invalid parameter type for 'id', expected: integer");
  ExpectError("cancel-vcpu-operation", R"({"id": -1})",
              "Parameter 'id' expects the id of an operation, as query-vcpu-operations lists it, "
              "not -1");
}

TEST_F(CommandsTest, AffinityGoesToTheMachine) {
  EXPECT_EQ(Ask("set-vcpu-affinity", R"({"cpu": 3, "host-cpus": "0-2,1023"})"), Returned("{}"));
  EXPECT_THAT(machine_.calls, ElementsAre("affinity 3 0-2,1023"));
  machine_.error = Error{.code = ErrorCode::kInvalidArgument, .message = "none may be used"};
  EXPECT_EQ(Ask("set-vcpu-affinity", R"({"cpu": 3, "host-cpus": "9"})")["error"]["desc"],
            "none may be used");
}

TEST_F(CommandsTest, AffinityRefusesWhatIsWrongBeforeAnythingHappens) {
  ExpectError("set-vcpu-affinity", R"({"cpu": 0})", "Parameter 'host-cpus' is missing");
  for (const char* cpu : {"-1", "4", "4294967296"}) {
    ExpectError("set-vcpu-affinity", fmt::format(R"({{"cpu": {}, "host-cpus": "0"}})", cpu),
                fmt::format("Parameter 'cpu' expects the id of a vCPU from 0 to 3, not {}", cpu));
  }
  ExpectError("set-vcpu-affinity", R"({"cpu": 0, "host-cpus": "1024"})",
              "Parameter 'host-cpus': CPU list \"1024\": 1024 is above the highest id, 1023");
  for (const char* list : {"", "a", "1,", "3-1", "0-4294967296"}) {
    const Json answer =
        Ask("set-vcpu-affinity", fmt::format(R"({{"cpu": 0, "host-cpus": "{}"}})", list));
    EXPECT_THAT(answer["error"]["desc"].get<std::string>(), HasSubstr("Parameter 'host-cpus': "))
        << list;
  }
  EXPECT_THAT(machine_.calls, IsEmpty());
}

TEST_F(CommandsTest, MetricsHaveCumulativeBuckets) {
  using std::chrono::milliseconds;
  machine_.counters = {
      .operations = {{OperationKind::kAdd, Outcome::kDone, 3},
                     {OperationKind::kRemove, Outcome::kTimedOut, 0}},
      .phases = {{.kind = OperationKind::kAdd,
                  .phase = "registered",
                  .latency = {.bounds = {milliseconds(1), milliseconds(10)},
                              .counts = {2, 0, 1},
                              .sum = milliseconds(30)}}},
      .vcpus = {{.cpu = 2, .cpu_time = milliseconds(5), .exits = {{"io", 7}, {"mmio", 0}}}}};
  EXPECT_EQ(Ask("query-metrics"), Returned(R"({
    "operations": [{"kind": "add", "outcome": "done", "count": 3},
                   {"kind": "remove", "outcome": "timed-out", "count": 0}],
    "phases": [{"kind": "add", "phase": "registered", "sum-ns": 30000000, "count": 3,
                "buckets": [{"le-ns": 1000000, "count": 2}, {"le-ns": 10000000, "count": 2}]}],
    "vcpus": [{"cpu": 2, "cpu-time-ns": 5000000,
               "exits": [{"kind": "io", "count": 7}, {"kind": "mmio", "count": 0}]}]})"));
}

}  // namespace
}  // namespace tidevm::control
