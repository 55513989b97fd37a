// For tests: commands given straight to the dispatcher, without a socket.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "vmm/control/commands.h"
#include "vmm/control/fake_machine.h"

namespace tidevm::control {

inline Json Parse(std::string_view text) { return Json::parse(text, nullptr, false); }

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
    EXPECT_THAT(machine_.calls, testing::IsEmpty());
  }
  static Json Returned(std::string_view text) {
    Json message = Json::object();
    message["return"] = Parse(text);
    return message;
  }

  FakeMachine machine_;
  Json answer_;
};

}  // namespace tidevm::control
