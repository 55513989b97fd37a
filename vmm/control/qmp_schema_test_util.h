// For tests: messages held against docs/qmp-schema.json.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vmm/control/commands.h"
#include "vmm/control/fake_machine.h"
#include "vmm/control/qmp_schema_validator.h"

namespace tidevm::control {

/// The schema, read once for all tests.
QmpSchema& Schema();

std::string ArgumentsOf(std::string_view command);
std::string ReturnOf(std::string_view command);

using VisitObject = std::function<void(const Json::json_pointer& place, const Json& object)>;

/// Calls `visit` for every object in `value`, itself included.
void ForEachObject(const Json& value, const Json::json_pointer& place, const VisitObject& visit);

/// `value` must be refused with a member that no schema has, in whichever of its objects.
void ExpectClosed(const std::string& pointer, const Json& value);

/// `value` is as the schema has it, and would not be with another member anywhere.
void ExpectMatches(const std::string& pointer, const Json& value);

/// The line that answers a request, without its end.
Json AnswerOf(MachineControl& machine, std::string_view command, const Json& arguments,
              const std::optional<Json>& id = {});

/// One that stops at once, with a CPU that can be removed ("cpu3") and a pending operation (1).
class SchemaTestMachine : public FakeMachine {
 public:
  SchemaTestMachine();
  void Stop(std::function<void()> done) override;
};

}  // namespace tidevm::control
