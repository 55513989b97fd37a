// That the help, the man page and both completions are of one source: each has everything.
#include "tools/manual/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tools/tidectl/help.h"
#include "vmm/machine/options.h"

namespace tidevm::manual {
namespace {

using testing::HasSubstr;

constexpr const char* kDate = "2026-01-31";

std::string HelpOf(const Program& program) {
  if (program.name == "tidectl") {
    return tidectl::GeneralHelp();
  }
  const std::array<const char*, 2> words = {"tidevm", "--help"};
  return std::get<machine::ShowText>(*machine::ParseCommandLine(2, words.data())).text;
}

// As a word of a man page's source.
std::string Roff(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    result += letter == '-' ? "\\-" : std::string(1, letter);
  }
  return result;
}

TEST(Manual, BothProgramsAreThere) {
  const auto programs = AllPrograms();
  ASSERT_EQ(programs.size(), 2U);
  EXPECT_FALSE(programs[0].options.empty());
  EXPECT_EQ(programs[1].commands.size(), tidectl::AllCommands().size());
}

TEST(Manual, EachOptionIsInAllFour) {
  for (const Program& program : AllPrograms()) {
    for (const Option& option : program.options) {
      const std::string name = "--" + option.name;
      EXPECT_THAT(HelpOf(program), HasSubstr(name));
      EXPECT_THAT(ManPage(program, kDate), HasSubstr("\\fB" + Roff(name) + "\\fR"));
      EXPECT_THAT(BashCompletion(program), testing::ContainsRegex(name + "[ ']"));
      EXPECT_THAT(ZshCompletion(program), testing::ContainsRegex("[')]" + name + "[=[-]"));
      EXPECT_FALSE(option.text.empty()) << name;
    }
  }
}

TEST(Manual, EachCommandIsInAllFour) {
  for (const Program& program : AllPrograms()) {
    for (const Command& command : program.commands) {
      EXPECT_THAT(HelpOf(program), HasSubstr("\n  " + command.name + " "));
      EXPECT_THAT(ManPage(program, kDate), HasSubstr(".TP\n\\fB" + Roff(command.name) + "\\fR"));
      EXPECT_THAT(BashCompletion(program), testing::ContainsRegex("[ ']" + command.name + "[ ']"));
      EXPECT_THAT(ZshCompletion(program), HasSubstr("\n    '" + command.name + ":"));
    }
  }
}

TEST(Manual, EachChoiceCanBeCompleted) {
  for (const Program& program : AllPrograms()) {
    for (const Option& option : program.options) {
      for (const std::string& choice : option.choices) {
        EXPECT_THAT(BashCompletion(program), testing::ContainsRegex("[ ']" + choice + "[ ']"));
        EXPECT_THAT(option.text, HasSubstr(choice)) << option.name;
      }
    }
  }
}

TEST(Manual, OptionsOfTidevmKeepLetterValueAndDefault) {
  const Program tidevm = AllPrograms()[0];
  const auto option = [&](std::string_view name) {
    return *std::find_if(tidevm.options.begin(), tidevm.options.end(),
                         [&](const Option& candidate) { return candidate.name == name; });
  };
  EXPECT_EQ(option("kernel").letter, 'k');
  EXPECT_EQ(option("kernel").value, "FILE");
  EXPECT_EQ(option("kernel").default_value, "");
  EXPECT_EQ(option("cpus").default_value, "boot=1,max=1");
  EXPECT_EQ(option("cpus").value, "LIST");
  EXPECT_EQ(option("paused").value, "");
  EXPECT_EQ(option("paused").letter, 0);
  EXPECT_EQ(option("log-level").choices.size(), 4U);
}

TEST(ManPage, TextThatRoffWouldTakeForItsOwnMeansItself) {
  Program program{.name = "x", .version = "1", .summary = "a - b"};
  program.options = {{.name = "o", .text = ".not a 'request' \\ ~^`"}};
  EXPECT_THAT(ManPage(program, kDate),
              HasSubstr("\n\\&.not a \\(aqrequest\\(aq \\e \\(ti\\(ha\\(ga\n"));
}

// What a checker says of a text that it reads from its standard input; nullopt: it is not here.
std::optional<std::string> Checked(const std::string& checker, const std::string& command,
                                   const std::string& text) {
  if (std::system(("command -v " + checker + " >/dev/null").c_str()) != 0) {
    return std::nullopt;
  }
  const std::string path = testing::TempDir() + "/manual-" + std::to_string(::getpid());
  std::ofstream(path) << text;
  std::FILE* const pipe = ::popen((checker + " " + command + " <" + path + " 2>&1").c_str(), "r");
  std::string said;
  for (int letter = 0; (letter = std::fgetc(pipe)) != EOF;) {
    said += static_cast<char>(letter);
  }
  const int status = ::pclose(pipe);
  std::remove(path.c_str());
  return status == 0 ? said : said + "exit status " + std::to_string(WEXITSTATUS(status));
}

TEST(Completion, ShellsCanReadIt) {
  for (const Program& program : AllPrograms()) {
    EXPECT_EQ(Checked("bash", "-n", BashCompletion(program)), "");
    EXPECT_EQ(Checked("zsh", "-n", ZshCompletion(program)).value_or(""), "");
  }
}

TEST(ManPage, FormattersHaveNothingToSay) {
  int checkers = 0;
  for (const Program& program : AllPrograms()) {
    const std::string page = ManPage(program, kDate);
    const auto groff = Checked("groff", "-man -ww -z -Tascii", page);
    const auto mandoc = Checked("mandoc", "-T lint -W warning", page);
    EXPECT_EQ(groff.value_or(""), "");
    EXPECT_EQ(mandoc.value_or(""), "");
    checkers += int(groff.has_value()) + int(mandoc.has_value());
  }
  if (checkers == 0) {
    GTEST_SKIP() << "neither groff nor mandoc is here";
  }
}

}  // namespace
}  // namespace tidevm::manual
