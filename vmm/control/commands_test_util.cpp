#include "vmm/control/commands_test_util.h"

#include <gmock/gmock.h>

#include <optional>
#include <string>

namespace tidevm::control {

Json Parse(std::string_view text) { return Json::parse(text, nullptr, false); }

CommandsTest::CommandsTest() = default;
CommandsTest::~CommandsTest() = default;

Json CommandsTest::Ask(std::string_view command, std::string_view arguments) {
  answer_ = nullptr;
  Dispatch(machine_, {.command = std::string(command), .arguments = Parse(arguments), .id = {}},
           Reply([this](const Reply::Answer& answer) {
             answer_ = Parse(answer ? ReturnLine(*answer, std::nullopt)
                                    : ErrorLine(answer.error(), std::nullopt));
           }));
  return answer_;
}

void CommandsTest::ExpectError(std::string_view command, std::string_view arguments,
                               std::string_view desc, std::string_view error_class) {
  const Json expected = {{"error", {{"class", error_class}, {"desc", desc}}}};
  EXPECT_EQ(Ask(command, arguments), expected) << command << " " << arguments;
  EXPECT_THAT(machine_.calls, testing::IsEmpty());
}

Json CommandsTest::Returned(std::string_view text) {
  Json message = Json::object();
  message["return"] = Parse(text);
  return message;
}

}  // namespace tidevm::control
