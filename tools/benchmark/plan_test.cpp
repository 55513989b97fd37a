// What is run, in what order, with what commands.
#include "tools/benchmark/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::benchmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Words(std::vector<std::string> more) {
  std::vector<std::string> words = {"--tidevm", "t",        "--qemu", "q",        "--kernel",
                                    "k",        "--initrd", "i",      "--output", "o"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string Joined(System system, const Shape& shape) {
  const Programs programs{.tidevm = "/t", .qemu = "/q", .kernel = "/k", .initrd = "/i"};
  std::string text;
  for (const std::string& word : StartCommand(system, programs, shape, "/run/c.sock")) {
    text += word + " ";
  }
  return text;
}

TEST(Options, AreRead) {
  const auto options = ParseOptions(
      Words({"--rounds", "3", "--bursts", "2,16", "--maxima", "", "--idle", "0.5", "--again"}));
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->programs.qemu, "q");
  EXPECT_EQ(options->rounds, 3U);
  EXPECT_THAT(options->bursts, ElementsAre(2, 16));
  EXPECT_TRUE(options->maxima.empty());
  EXPECT_EQ(options->idle, std::chrono::milliseconds(500));
  EXPECT_TRUE(options->again);
}

TEST(Options, ErrorsNameTheValue) {
  for (const auto& [words, message] :
       {std::pair{Words({"--bursts", "2,x"}), "\"x\" is no number of vCPUs"},
        {Words({"--bursts", "2,300"}), "\"300\" is no number of vCPUs from 2 to 255"},
        {Words({"--rounds", "0"}), "at least 1 round"},
        {Words({"--cycle", "1"}), "2 to 255 vCPUs"},
        {Words({"--nonsense"}), "nonsense"},
        {std::vector<std::string>{"--tidevm", "t"}, "required"}}) {
    const auto options = ParseOptions(words);
    ASSERT_FALSE(options) << message;
    EXPECT_THAT(options.error().message, HasSubstr(message));
  }
}

TEST(Plan, WithLessQemuItHasTheCycleAlone) {
  const auto options = ParseOptions(Words({"--bursts", "4", "--maxima", "64", "--less-qemu"}));
  ASSERT_TRUE(options);
  std::vector<std::string> steps;
  for (const Step& step : MakePlan(*options)) {
    steps.push_back(fmt::format("{} {}", step.scenario, Name(step.system)));
  }
  EXPECT_THAT(steps, ElementsAre("cycle tidevm", "cycle qemu-q35", "floor tidevm", "burst 4 tidevm",
                                 "boot max=64 tidevm"));
}

TEST(Plan, SystemsTakeTurnsAndChangePlacesEveryRound) {
  const auto options = ParseOptions(Words({"--rounds", "2", "--bursts", "4", "--maxima", "64"}));
  ASSERT_TRUE(options);
  std::vector<std::string> order;
  for (const Step& step : MakePlan(*options)) {
    order.push_back(fmt::format("{} {} {}", step.round, step.scenario, Name(step.system)));
  }
  EXPECT_THAT(
      order, ElementsAre("1 cycle tidevm", "1 cycle qemu-q35", "1 floor tidevm", "1 floor qemu-q35",
                         "1 burst 4 tidevm", "1 burst 4 qemu-q35", "1 boot max=8 qemu-microvm",
                         "1 boot max=64 tidevm", "1 boot max=64 qemu-q35", "2 cycle qemu-q35",
                         "2 cycle tidevm", "2 floor qemu-q35", "2 floor tidevm",
                         "2 burst 4 qemu-q35", "2 burst 4 tidevm", "2 boot max=8 qemu-microvm",
                         "2 boot max=64 qemu-q35", "2 boot max=64 tidevm"));
}

TEST(StartCommand, GivesAllSystemsTheSame) {
  const Shape shape{.boot = 2, .max = 8, .memory_mebibytes = 256, .more_cmdline = "maxcpus=1"};
  const std::string ours = Joined(System::kTidevm, shape);
  EXPECT_THAT(ours, HasSubstr("--kernel /k --initrd /i --cmdline console=ttyS0 quiet maxcpus=1 "));
  EXPECT_THAT(ours, HasSubstr("--cpus boot=2,max=8 --memory 256M --control /run/c.sock"));
  for (const auto& [system, machine] :
       {std::pair{System::kQemuQ35, "q35"}, {System::kQemuMicrovm, "microvm"}}) {
    const std::string theirs = Joined(system, shape);
    EXPECT_THAT(theirs, HasSubstr(fmt::format("-machine {} -accel kvm -cpu host ", machine)));
    EXPECT_THAT(theirs, HasSubstr("-m 256M -smp cpus=2,maxcpus=8 -kernel /k -initrd /i"));
    EXPECT_THAT(theirs, HasSubstr("-append console=ttyS0 quiet maxcpus=1 "));
    EXPECT_THAT(theirs, HasSubstr("unix:/run/c.sock"));
    EXPECT_THAT(theirs, Not(HasSubstr("--")));
  }
}

}  // namespace
}  // namespace tidevm::benchmark
