// For tests: messages held against docs/qmp-schema.json.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "vmm/control/commands.h"
#include "vmm/control/fake_machine.h"
#include "vmm/control/qmp_schema_validator.h"

namespace tidevm::control {

/// The schema, read once for all tests.
inline QmpSchema& Schema() {
  static QmpSchema schema;
  return schema;
}

inline std::string ArgumentsOf(std::string_view command) {
  return fmt::format("#/commands/{}/arguments", command);
}
inline std::string ReturnOf(std::string_view command) {
  return fmt::format("#/commands/{}/returns", command);
}

/// Calls `visit(place, object)` for every object in `value`, itself included.
template <typename Visit>
void ForEachObject(const Json& value, const Json::json_pointer& place, const Visit& visit) {
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

/// `value` must be refused with a member that no schema has, in whichever of its objects.
inline void ExpectClosed(const std::string& pointer, const Json& value) {
  ForEachObject(
      value, Json::json_pointer(), [&](const Json::json_pointer& place, const Json& /*object*/) {
        Json changed = value;
        changed[place]["bogus"] = 1;
        EXPECT_NE(Schema().Errors(pointer, changed), "") << pointer << " takes " << changed;
      });
}

/// `value` is as the schema has it, and would not be with another member anywhere.
inline void ExpectMatches(const std::string& pointer, const Json& value) {
  EXPECT_EQ(Schema().Errors(pointer, value), "") << pointer << " of " << value;
  ExpectClosed(pointer, value);
}

/// The line that answers a request, without its end.
inline Json AnswerOf(MachineControl& machine, std::string_view command, const Json& arguments,
                     const std::optional<Json>& id = {}) {
  Json answer;
  Dispatch(machine, {.command = std::string(command), .arguments = arguments, .id = id},
           Reply([&](const Reply::Answer& given) {
             answer = Json::parse(given ? ReturnLine(*given, id) : ErrorLine(given.error(), id));
           }));
  return answer;
}

/// One that stops at once, with a CPU that can be removed ("cpu3") and a pending operation (1).
class SchemaTestMachine : public FakeMachine {
 public:
  SchemaTestMachine() {
    Plug(3, "cpu3");
    (void)AddVcpu(2, "", {});
    cpus[2].wanted = false;
  }
  void Stop(std::function<void()> done) override { done(); }
};

}  // namespace tidevm::control
