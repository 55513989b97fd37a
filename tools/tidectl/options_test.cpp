#include "tools/tidectl/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tools/tidectl/help.h"

namespace tidevm::tidectl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Options, SocketIsTheOptionElseTheEnvironmentElseTheDefault) {
  EXPECT_EQ(ParseOptions({"status"}, nullptr)->socket, "./tidevm.sock");
  EXPECT_EQ(ParseOptions({"status"}, "")->socket, "./tidevm.sock");
  EXPECT_EQ(ParseOptions({"status"}, "/e")->socket, "/e");
  EXPECT_EQ(ParseOptions({"-s", "/o", "status"}, "/e")->socket, "/o");
  EXPECT_EQ(ParseOptions({"status", "--socket=/o"}, "/e")->socket, "/o");
}

TEST(Options, WaitWithAndWithoutAWord) {
  EXPECT_EQ(ParseOptions({"set-vcpus", "4"}, nullptr)->wait, WaitFor::kNothing);
  EXPECT_EQ(ParseOptions({"set-vcpus", "4", "--wait"}, nullptr)->wait, WaitFor::kDone);
  EXPECT_EQ(ParseOptions({"set-vcpus", "4", "--wait", "registered"}, nullptr)->wait,
            WaitFor::kRegistered);
  EXPECT_EQ(ParseOptions({"set-vcpus", "4", "--wait=removed"}, nullptr)->wait, WaitFor::kRemoved);
  EXPECT_EQ(ParseOptions({"set-vcpus", "4", "--wait", "online"}, nullptr)->wait, WaitFor::kOnline);
  EXPECT_FALSE(ParseOptions({"set-vcpus", "4", "--wait", "offline"}, nullptr));
  const auto before = ParseOptions({"set-vcpus", "--wait", "4", "--timeout", "5s"}, nullptr);
  ASSERT_TRUE(before);
  EXPECT_THAT(before->arguments, ElementsAre("4"));
  EXPECT_EQ(before->timeout, std::chrono::seconds(5));
}

TEST(Options, WhatIsWrongIsNamed) {
  const auto message = [](std::vector<std::string> words) {
    const auto options = ParseOptions(std::move(words), nullptr);
    return options ? std::string() : options.error().message;
  };
  EXPECT_THAT(message({}), HasSubstr("no command given"));
  EXPECT_THAT(message({"plop"}), HasSubstr("there is no command \"plop\""));
  EXPECT_THAT(message({"status", "x"}), HasSubstr("status does not take \"x\""));
  EXPECT_THAT(message({"set-vcpus"}), HasSubstr("set-vcpus needs N|LIST"));
  EXPECT_THAT(message({"status", "--wait"}), HasSubstr("status does not take --wait"));
  EXPECT_THAT(message({"plug", "1", "--wait=offline"}), HasSubstr("not \"offline\""));
  EXPECT_THAT(message({"status", "--deadline", "1s"}), HasSubstr("does not take --deadline"));
  EXPECT_THAT(message({"plug", "1", "--deadline", "1"}), HasSubstr("--deadline: \"1\""));
  EXPECT_THAT(message({"unplug", "1", "--wait=online"}), HasSubstr("cannot wait"));
  EXPECT_THAT(message({"plug", "1", "--wait=removed"}), HasSubstr("cannot wait for removed"));
  EXPECT_THAT(message({"unplug", "1", "--wait=registered"}), HasSubstr("cannot wait"));
  EXPECT_THAT(message({"status", "--timeout", "5"}), HasSubstr("--timeout: \"5\""));
  EXPECT_THAT(message({"status", "--frob"}), HasSubstr("--frob"));
}

TEST(Help, NamesEveryCommandAndHasExamples) {
  for (const CommandHelp& command : AllCommands()) {
    EXPECT_THAT(GeneralHelp(), HasSubstr(std::string(command.name)));
    EXPECT_THAT(HelpFor(command), HasSubstr("Examples:\n  tidectl " + std::string(command.name)));
    for (const OptionHelp& option : AllOptions()) {
      EXPECT_EQ(HelpFor(command).find(Spelling(option)) != std::string::npos,
                Takes(command, option))
          << command.name << " " << option.name;
    }
    EXPECT_TRUE(ParseOptions({std::string(command.name), "--help"}, nullptr));
  }
}

TEST(Help, FitsInto80ColumnsAndNamesEveryOption) {
  std::istringstream lines(GeneralHelp());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
  for (const OptionHelp& option : AllOptions()) {
    EXPECT_THAT(GeneralHelp(), HasSubstr(Spelling(option)));
  }
}

}  // namespace
}  // namespace tidevm::tidectl
