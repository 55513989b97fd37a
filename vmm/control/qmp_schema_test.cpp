// docs/qmp-schema.json itself.
#include <gmock/gmock.h>

#include <set>

#include "vmm/control/qmp_schema_test_util.h"

namespace tidevm::control {
namespace {

TEST(QmpSchema, CommandsAreThoseOfQueryCommands) {
  FakeMachine machine;
  std::set<std::string> served;
  const Json answer = AnswerOf(machine, "query-commands", Json::object());
  for (const Json& entry : answer["return"]) {
    served.insert(entry["name"]);
  }
  std::set<std::string> written;
  for (const auto& [name, command] : Schema().document()["commands"].items()) {
    written.insert(name);
    std::set<std::string> members;
    for (const auto& [member, schema] : command.items()) {
      members.insert(member);
    }
    EXPECT_EQ(members, (std::set<std::string>{"description", "arguments", "returns"})) << name;
  }
  EXPECT_EQ(written, served);
}

TEST(QmpSchema, ArgumentsHaveTheNamesThatTheServerTakes) {
  for (const CommandSpec& command : Commands()) {
    const Json& arguments =
        Schema().document().at("commands").at(std::string(command.name)).at("arguments");
    std::set<std::string> taken;
    std::set<std::string> required;
    for (const ArgumentSpec& spec : command.arguments) {
      taken.emplace(spec.name);
      if (spec.required) {
        required.emplace(spec.name);
      }
    }
    std::set<std::string> written;
    const Json properties = arguments.value("properties", Json::object());
    for (const auto& [name, schema] : properties.items()) {
      written.insert(name);
    }
    EXPECT_EQ(written, taken) << command.name;
    EXPECT_EQ(arguments.value("required", std::set<std::string>{}), required) << command.name;
  }
}

// Of the schemas that are for messages, only a request's arguments are left open: they have schemas
// of their own.
TEST(QmpSchema, EveryObjectIsClosedAndRequiresOnlyWhatItHas) {
  std::set<std::string> open;
  ForEachObject(Schema().document(), Json::json_pointer(),
                [&](const Json::json_pointer& place, const Json& schema) {
                  if (schema.value("type", Json()) == "object" &&
                      schema.value("additionalProperties", true)) {
                    open.insert(place.to_string());
                  }
                  if (schema.contains("properties") && schema.contains("required")) {
                    for (const Json& name : schema["required"]) {
                      EXPECT_TRUE(schema["properties"].contains(name.get<std::string>()))
                          << place << " " << name;
                    }
                  }
                });
  EXPECT_EQ(open, (std::set<std::string>{"/definitions/request/properties/arguments"}));
}

// What a client cannot count on. Arguments are apart: the server's own list says which it needs.
TEST(QmpSchema, OptionalMembersAreOnlyThese) {
  std::set<std::string> optional;
  ForEachObject(Schema().document(), Json::json_pointer(),
                [&](const Json::json_pointer& place, const Json& schema) {
                  const Json properties = schema.value("properties", Json::object());
                  const auto required = schema.value("required", std::set<std::string>{});
                  for (const auto& [name, member] : properties.items()) {
                    if (place.back() != "arguments" && !required.contains(name)) {
                      optional.insert((place / name).to_string());
                    }
                  }
                });
  EXPECT_THAT(
      optional,
      testing::UnorderedElementsAre(
          "/definitions/request/arguments", "/definitions/request/id", "/definitions/answer/id",
          "/definitions/error/id", "/definitions/HotpluggableCPU/qom-path",
          "/definitions/ACPIOSTInfo/device", "/definitions/DeviceData/device",
          "/definitions/Operation/reason", "/definitions/Vcpu/thread-id",
          "/definitions/Vcpu/affinity", "/definitions/Vcpu/last-ost", "/definitions/Vcpu/device-id",
          "/definitions/Vcpu/qom-path", "/commands/query-name/returns/name",
          "/events/VCPU_OPERATION/properties/data/reason"));
}

TEST(QmpSchema, EveryReferenceLeadsSomewhereAndEveryDefinitionIsUsed) {
  std::set<std::string> referenced;
  ForEachObject(Schema().document(), Json::json_pointer(),
                [&](const Json::json_pointer& place, const Json& schema) {
                  if (schema.contains("$ref")) {
                    const auto pointer = schema["$ref"].get<std::string>();
                    referenced.insert(pointer);
                    EXPECT_TRUE(Schema().document().contains(Json::json_pointer(pointer.substr(1))))
                        << place;
                  }
                });
  for (const auto& [name, schema] : Schema().document()["definitions"].items()) {
    if (name != "request") {
      EXPECT_TRUE(referenced.contains("#/definitions/" + name)) << name;
    }
  }
  for (const auto& [name, schema] : Schema().document()["events"].items()) {
    EXPECT_TRUE(referenced.contains("#/events/" + name)) << name;
  }
}

// That the validator looks at what these schemas are made of.
TEST(QmpSchema, WrongMessagesAreRefused) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"#", R"({"retrun": {}})"},
      {"#/definitions/answer", R"({"return": 1})"},
      {"#/definitions/error", R"({"error": {"class": "Other", "desc": "x"}})"},
      {"#/definitions/error", R"({"error": {"class": "GenericError"}})"},
      {"#/definitions/event", R"({"event": "STOP"})"},
      {"#/definitions/event", R"({"event": "OTHER", "timestamp": {"seconds": 1,
                                  "microseconds": 0}})"},
      {"#/events/STOP", R"({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0},
                            "data": {}})"},
      {"#/events/STOP", R"({"event": "STOP", "timestamp": {"seconds": 1,
                            "microseconds": 1000000}})"},
      {"#/commands/query-status/returns", R"({"running": true, "status": "asleep"})"},
      {"#/commands/query-status/returns", R"({"running": 1, "status": "running"})"},
      {"#/commands/query-commands/returns", R"([{"name": "stop"}, {}])"},
      {"#/commands/stop/returns", R"([])"},
      {"#/definitions/cpu-list", R"("0-")"},
      {"#/definitions/ns", "-1"},
      {"#/definitions/ns", "1.5"},
  };
  for (const auto& [pointer, message] : cases) {
    EXPECT_NE(Schema().Errors(pointer, Json::parse(message)), "") << pointer << " " << message;
  }
}

TEST(QmpSchema, RequestsHaveTheServersShape) {
  const std::vector<const char*> requests = {
      R"({"execute": "stop"})",
      R"({"execute": "stop", "arguments": {}, "id": [1, {"a": null}]})",
      R"({"execute": "stop", "arguments": {"bogus": 1}})",
      R"({"execute": "stop", "arguments": []})",
      R"({"execute": 1})",
      R"({"exec-oob": "stop"})",
      R"({"execute": "stop", "bogus": 1})",
      "{}",
      "[]",
  };
  for (const char* request : requests) {
    EXPECT_EQ(Schema().Errors("#/definitions/request", Json::parse(request)).empty(),
              ParseRequest(request).has_value())
        << request;
  }
}

}  // namespace
}  // namespace tidevm::control
