// For tests: commands given straight to the dispatcher, without a socket.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "vmm/control/commands.h"
#include "vmm/control/fake_machine.h"

namespace tidevm::control {

Json Parse(std::string_view text);

class CommandsTest : public testing::Test {
 protected:
  CommandsTest();
  ~CommandsTest() override;

  // The whole answer, or null where there is none yet.
  Json Ask(std::string_view command, std::string_view arguments = "{}");
  void ExpectError(std::string_view command, std::string_view arguments, std::string_view desc,
                   std::string_view error_class = "GenericError");
  static Json Returned(std::string_view text);

  FakeMachine machine_;
  Json answer_;
};

}  // namespace tidevm::control
