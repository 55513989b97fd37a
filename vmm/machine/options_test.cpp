#include "vmm/machine/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::machine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename... Args>
Result<Command> Parse(Args... args) {
  const std::vector<const char*> argv{"tidevm", args...};
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

TEST(CpusOption, BootAloneIsAlsoTheMaximum) {
  const auto cpus = ParseCpus("boot=3");
  ASSERT_TRUE(cpus.has_value());
  EXPECT_EQ(cpus->boot, 3U);
  EXPECT_EQ(cpus->max, 3U);
}

TEST(CpusOption, TakesTheWholeShape) {
  const auto cpus = ParseCpus("boot=1,max=12,sockets=2,cores=3,threads=2");
  ASSERT_TRUE(cpus.has_value());
  EXPECT_EQ(cpus->max, 12U);
  EXPECT_EQ(cpus->topology.sockets, 2U);
  EXPECT_EQ(cpus->topology.cores, 3U);
  EXPECT_EQ(cpus->topology.threads, 2U);
}

TEST(CpusOption, BootAboveMaxNamesBothAndTheRemedy) {
  const auto cpus = ParseCpus("boot=2,max=1");
  ASSERT_FALSE(cpus.has_value());
  EXPECT_THAT(cpus.error().message, AllOf(HasSubstr("boot=2,max=1"), HasSubstr("raise max")));
}

TEST(CpusOption, RefusesWhatIsNotACount) {
  for (const char* text :
       {"boot=0", "max=0", "boot=-1", "boot=one", "boot=1x", "boot=", "boot", "=1", "cpus=4",
        "boot=4294967296", "boot=1,,max=2", "boot=1,", "", "max=4294967295"}) {
    const auto cpus = ParseCpus(text);
    EXPECT_FALSE(cpus.has_value()) << text;
  }
}

TEST(MemoryOption, SuffixesArePowersOf1024) {
  EXPECT_EQ(*ParseMemory("64"), 64ULL << 20);
  EXPECT_EQ(*ParseMemory("64M"), 64ULL << 20);
  EXPECT_EQ(*ParseMemory("2G"), 2ULL << 30);
  EXPECT_EQ(*ParseMemory("65536K"), 64ULL << 20);
}

TEST(MemoryOption, RefusesWhatIsNotASize) {
  for (const char* text : {"", "M", "1T", "12MB", "-1M", "99999999999999G"}) {
    EXPECT_FALSE(ParseMemory(text).has_value()) << text;
  }
}

TEST(CommandLine, AKernelIsNeeded) {
  const auto command = Parse("--memory", "1G");
  ASSERT_FALSE(command.has_value());
  EXPECT_THAT(command.error().message, HasSubstr("--kernel"));
}

TEST(CommandLine, DefaultsAreOneCpuAndTheSerialConsoleOnStdio) {
  const auto command = Parse("--kernel", "vmlinuz");
  ASSERT_TRUE(command.has_value());
  const auto& options = std::get<MachineOptions>(*command);
  EXPECT_EQ(options.cpus.boot, 1U);
  EXPECT_EQ(options.memory_bytes, 512ULL << 20);
  EXPECT_EQ(options.serial, "stdio");
  EXPECT_EQ(options.command_line, "console=ttyS0");
  EXPECT_EQ(options.control, "");
}

TEST(CommandLine, UnknownOptionsAndStrayWordsAreRefused) {
  EXPECT_FALSE(Parse("--kernel", "vmlinuz", "--cpu", "boot=1").has_value());
  EXPECT_FALSE(Parse("--kernel", "vmlinuz", "stray").has_value());
  EXPECT_FALSE(Parse("--kernel").has_value());
}

TEST(CommandLine, PausedNeedsSomebodyToContinue) {
  EXPECT_FALSE(Parse("--kernel", "vmlinuz", "--paused").has_value());
  const auto command = Parse("--kernel", "vmlinuz", "--paused", "--control", "vm.sock");
  ASSERT_TRUE(command.has_value());
  EXPECT_TRUE(std::get<MachineOptions>(*command).paused);
}

template <typename... Args>
LogFormat FormatOf(Args... args) {
  const std::vector<const char*> argv{"tidevm", args...};
  return RequestedLogFormat(static_cast<int>(argv.size()), argv.data());
}

TEST(LogFormatOption, IsTextUnlessAskedOtherwise) {
  EXPECT_EQ(FormatOf("--kernel", "vmlinuz"), LogFormat::kText);
  EXPECT_EQ(FormatOf("--kernel", "vmlinuz", "--log-format", "text"), LogFormat::kText);
  EXPECT_EQ(FormatOf("--kernel", "vmlinuz", "--log-format=json"), LogFormat::kJson);
  EXPECT_TRUE(Parse("--kernel", "vmlinuz", "--log-format", "json").has_value());
}

TEST(LogFormatOption, IsKnownThoughTheCommandLineIsWrongElsewhere) {
  EXPECT_EQ(FormatOf("--log-format", "json"), LogFormat::kJson);
  EXPECT_EQ(FormatOf("--log-format", "json", "--nonesuch"), LogFormat::kJson);
  EXPECT_EQ(FormatOf("--nonesuch", "3", "stray", "--log-format", "json"), LogFormat::kJson);
  EXPECT_EQ(FormatOf("--memory", "much", "--log-format", "json"), LogFormat::kJson);
}

TEST(LogFormatOption, IsTextWhereItIsWrongItself) {
  EXPECT_EQ(FormatOf("--log-format", "xml"), LogFormat::kText);
  EXPECT_EQ(FormatOf("--log-format"), LogFormat::kText);
  EXPECT_EQ(FormatOf("--log-format", "json", "--log-format", "json"), LogFormat::kText);
  const auto command = Parse("--check-host", "--log-format", "xml");
  ASSERT_FALSE(command.has_value());
  EXPECT_THAT(command.error().message,
              AllOf(HasSubstr("--log-format xml"), HasSubstr("text, json")));
}

TEST(SeccompOption, HasThreeModesAndIsOnInWhatUsersRun) {
  const auto mode = [](auto... words) {
    return std::get<MachineOptions>(*Parse("--kernel", "vmlinuz", words...)).seccomp;
  };
  EXPECT_EQ(mode(), sandbox::kInstrumented ? sandbox::Mode::kOff : sandbox::Mode::kOn);
  EXPECT_EQ(mode("--seccomp", "on"), sandbox::Mode::kOn);
  EXPECT_EQ(mode("--seccomp", "log"), sandbox::Mode::kLog);
  EXPECT_EQ(mode("--seccomp", "off"), sandbox::Mode::kOff);
  const auto wrong = Parse("--kernel", "vmlinuz", "--seccomp", "no");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message, AllOf(HasSubstr("--seccomp no"), HasSubstr("on, log, off")));
}

TEST(DescriptorOptions, ThoseThatCannotBePassedAreRefused) {
  for (const char* value : {"fd:", "fd:x", "fd:0", "fd:1", "fd:2", "fd:-3"}) {
    EXPECT_FALSE(Parse("--kernel", value).has_value()) << value;
    for (const char* option : {"--initrd", "--control", "--serial"}) {
      const auto command = Parse("--kernel", "vmlinuz", option, value);
      ASSERT_FALSE(command.has_value()) << option << " " << value;
      EXPECT_THAT(command.error().message,
                  AllOf(HasSubstr(option), HasSubstr(value), HasSubstr("from 3 on")));
    }
  }
}

TEST(DescriptorOptions, OneDescriptorIsForOneOption) {
  EXPECT_TRUE(Parse("--kernel", "fd:3", "--initrd", "fd:4", "--control", "fd:5").has_value());
  const auto command = Parse("--kernel", "fd:3", "--initrd", "fd:4", "--serial", "fd:03");
  ASSERT_FALSE(command.has_value());
  EXPECT_THAT(command.error().message,
              AllOf(HasSubstr("--serial fd:03"), HasSubstr("that of --kernel")));
}

TEST(CommandLine, HelpNamesEveryOption) {
  const auto command = Parse("--help");
  ASSERT_TRUE(command.has_value());
  for (const char* option : {"--kernel", "--initrd", "--cmdline", "--memory", "--cpus", "--control",
                             "--serial", "--paused", "--check-host", "--dump-acpi", "--log-level",
                             "--log-format", "--seccomp", "--show-seccomp"}) {
    EXPECT_THAT(std::get<ShowText>(*command).text, HasSubstr(option));
  }
}

}  // namespace
}  // namespace tidevm::machine
