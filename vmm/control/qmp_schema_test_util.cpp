#include "vmm/control/qmp_schema_test_util.h"

#include <gtest/gtest.h>

namespace tidevm::control {

QmpSchema& Schema() {
  static QmpSchema schema;
  return schema;
}

std::string ArgumentsOf(std::string_view command) {
  return fmt::format("#/commands/{}/arguments", command);
}

std::string ReturnOf(std::string_view command) {
  return fmt::format("#/commands/{}/returns", command);
}

void ForEachObject(const Json& value, const Json::json_pointer& place, const VisitObject& visit) {
  if (value.is_object()) {
    visit(place, value);
    for (const auto& [key, member] : value.items()) {
      ForEachObject(member, place / key, visit);
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      ForEachObject(value[i], place / i, visit);
    }
  }
}

void ExpectClosed(const std::string& pointer, const Json& value) {
  ForEachObject(
      value, Json::json_pointer(), [&](const Json::json_pointer& place, const Json& /*object*/) {
        Json changed = value;
        changed[place]["bogus"] = 1;
        EXPECT_NE(Schema().Errors(pointer, changed), "") << pointer << " takes " << changed;
      });
}

void ExpectMatches(const std::string& pointer, const Json& value) {
  EXPECT_EQ(Schema().Errors(pointer, value), "") << pointer << " of " << value;
  ExpectClosed(pointer, value);
}

Json AnswerOf(MachineControl& machine, std::string_view command, const Json& arguments,
              const std::optional<Json>& id) {
  Json answer;
  Dispatch(machine, {.command = std::string(command), .arguments = arguments, .id = id},
           Reply([&](const Reply::Answer& given) {
             answer = Json::parse(given ? ReturnLine(*given, id) : ErrorLine(given.error(), id));
           }));
  return answer;
}

SchemaTestMachine::SchemaTestMachine() {
  Plug(3, "cpu3");
  (void)AddVcpu(2, "", {});
  cpus[2].wanted = false;
}

void SchemaTestMachine::Stop(std::function<void()> done) { done(); }

}  // namespace tidevm::control
