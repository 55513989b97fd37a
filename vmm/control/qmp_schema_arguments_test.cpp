// What the schema says of a command's arguments, and what the server does with them: the same.
#include "vmm/control/qmp_schema_test_util.h"

namespace tidevm::control {
namespace {

// qmp_capabilities is looked at before there is a dispatcher to ask.
bool ServerTakes(const std::string& command, const Json& arguments) {
  if (command == "qmp_capabilities") {
    return !CheckCapabilities(arguments);
  }
  SchemaTestMachine machine;
  return AnswerOf(machine, command, arguments).contains("return");
}

void ExpectBoth(bool taken, const std::string& command, const Json& arguments) {
  EXPECT_EQ(ServerTakes(command, arguments), taken) << command << " " << arguments;
  const std::string errors = Schema().Errors(ArgumentsOf(command), arguments);
  EXPECT_EQ(errors.empty(), taken) << command << " " << arguments << "\n" << errors;
}

struct Case {
  const char* command;
  std::vector<const char*> taken;
  std::vector<const char*> refused;
};

// Only what no machine decides for itself: not how many CPUs there are.
std::vector<Case> Cases() {
  return {
      {"qmp_capabilities",
       {"{}", R"({"enable": []})"},
       {R"({"enable": ["oob"]})", R"({"enable": [1]})", R"({"enable": "oob"})"}},
      {"device_add",
       {R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 2, "thread-id": 0})",
        R"({"driver": "host-x86_64-cpu", "id": "a-1._Z", "socket-id": 0, "die-id": 0,
            "module-id": 0, "node-id": 0, "core-id": 2, "thread-id": 0, "timeout-ms": 1})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "timeout-ms": 86400000})"},
       {"{}", R"({"driver": "host-x86_64-cpu"})",
        R"({"driver": "e1000", "socket-id": 0, "core-id": 2, "thread-id": 0})",
        R"({"driver": "host-x86_64-cpu", "socket-id": 0, "core-id": 2})",
        R"({"driver": "host-x86_64-cpu", "socket-id": "0", "core-id": 2, "thread-id": 0})",
        R"({"driver": "host-x86_64-cpu", "socket-id": -1, "core-id": 2, "thread-id": 0})",
        R"({"driver": "host-x86_64-cpu", "id": "", "apic-id": 2})",
        R"({"driver": "host-x86_64-cpu", "id": "1a", "apic-id": 2})",
        R"({"driver": "host-x86_64-cpu", "id": "a/b", "apic-id": 2})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "die-id": 1})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "module-id": 1})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "node-id": 1})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "bus": "x"})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "timeout-ms": 0})",
        R"({"driver": "host-x86_64-cpu", "apic-id": 2, "timeout-ms": 86400001})"}},
      {"device_del",
       {R"({"id": "cpu3"})", R"({"id": "cpu3", "timeout-ms": 5})"},
       {"{}", R"({"id": ""})", R"({"id": 3})", R"({"id": "cpu3", "timeout-ms": 1.5})"}},
      {"set-vcpus",
       {R"({"count": 3})", R"({"cpus": "0-3"})", R"({"cpus": "0,2-3", "timeout-ms": 60000})"},
       {"{}", R"({"count": 3, "cpus": "0-2"})", R"({"count": 0})", R"({"count": -1})",
        R"({"count": 2.0})", R"({"count": "3"})", R"({"cpus": ""})", R"({"cpus": "0-"})",
        R"({"cpus": "0, 1"})", R"({"cpus": [0]})", R"({"count": 3, "timeout-ms": -1})",
        R"({"count": 3, "timeout-ms": null})", R"({"timeout-ms": 5})"}},
      {"cancel-vcpu-operation",
       {R"({"id": 1})"},
       {"{}", R"({"id": -1})", R"({"id": "1"})", R"({"id": 1.0})",
        R"({"id": 18446744073709551615})"}},
      {"set-vcpu-affinity",
       {R"({"cpu": 0, "host-cpus": "0-1,3"})"},
       {"{}", R"({"cpu": 0})", R"({"host-cpus": "0"})", R"({"cpu": -1, "host-cpus": "0"})",
        R"({"cpu": "0", "host-cpus": "0"})", R"({"cpu": 0, "host-cpus": ""})",
        R"({"cpu": 0, "host-cpus": "all"})", R"({"cpu": 0, "host-cpus": 0})"}},
  };
}

TEST(QmpSchemaArguments, TheServerTakesWhatTheSchemaTakesAndNothingElse) {
  for (const Case& c : Cases()) {
    for (const char* text : c.taken) {
      const Json arguments = Json::parse(text);
      ExpectBoth(true, c.command, arguments);
      Json with_unknown = arguments;
      with_unknown["bogus"] = 1;
      ExpectBoth(false, c.command, with_unknown);
      for (const auto& [name, value] : arguments.items()) {
        Json with_null = arguments;
        with_null[name] = nullptr;
        ExpectBoth(false, c.command, with_null);
      }
    }
    for (const char* text : c.refused) {
      ExpectBoth(false, c.command, Json::parse(text));
    }
  }
}

TEST(QmpSchemaArguments, CommandsWithoutArgumentsTakeNone) {
  int without = 0;
  for (const CommandSpec& command : Commands()) {
    if (command.arguments.empty()) {
      ++without;
      ExpectBoth(true, std::string(command.name), Json::object());
      ExpectBoth(false, std::string(command.name), {{"id", 1}});
    }
  }
  EXPECT_EQ(without + Cases().size(), Commands().size()) << "a command has no case here";
}

}  // namespace
}  // namespace tidevm::control
