#include "tools/tidectl/render_progress.h"

#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

using std::chrono::milliseconds;

Progress Operation(CpuId cpu, const std::vector<std::string>& phases,
                   const std::string& outcome = "pending", const std::string& reason = "") {
  Json operation = {{"id", cpu}, {"cpu", cpu}, {"kind", "add"}};
  Progress progress(operation);
  for (const std::string& phase : phases) {
    operation["phase"] = phase;
    operation["outcome"] = &phase == &phases.back() ? outcome : "pending";
    if (!reason.empty()) {
      operation["reason"] = reason;
    }
    progress.Take(operation);
  }
  return progress;
}

const std::vector<std::string> kPhases = {"requested", "created",      "started",
                                          "notified",  "acknowledged", "registered"};

std::vector<std::string> Render(const std::vector<Progress>& operations, ScreenSize screen,
                                Style style = {.color = false, .unicode = true}) {
  std::vector<const Progress*> pointers;
  for (const Progress& operation : operations) {
    pointers.push_back(&operation);
  }
  return RenderProgress(pointers,
                        std::vector<std::chrono::nanoseconds>(operations.size(), milliseconds(420)),
                        screen, style);
}

TEST(RenderProgress, PendingEndsInTheTime) {
  EXPECT_EQ(Render({Operation(3, kPhases)}, {.rows = 24, .columns = 100}),
            std::vector<std::string>{"vCPU 3   add     requested · created · started · notified · "
                                     "acknowledged · registered … 0.42 s"});
}

TEST(RenderProgress, WithoutUtf8ItIsAscii) {
  EXPECT_EQ(Render({Operation(3, {"requested", "created"})}, {}, {}),
            std::vector<std::string>{"vCPU 3   add     requested > created .. 0.42 s"});
}

TEST(RenderProgress, NarrowScreenLosesTheFirstPhases) {
  EXPECT_EQ(Render({Operation(3, kPhases)}, {.rows = 24, .columns = 60}),
            std::vector<std::string>{"vCPU 3   add     … · acknowledged · registered … 0.42 s"});
  EXPECT_EQ(Render({Operation(3, kPhases)}, {.rows = 24, .columns = 10}),
            std::vector<std::string>{"vCPU 3   a"});
}

TEST(RenderProgress, OutcomeIsAWordWithAndWithoutColour) {
  const std::vector<Progress> operations = {Operation(3, {"requested"}, "refused", "busy")};
  EXPECT_EQ(Render(operations, {})[0], "vCPU 3   add     requested  refused 0.42 s: busy");
  EXPECT_EQ(Render(operations, {}, {.color = true, .unicode = true})[0],
            "vCPU 3   add     requested  \x1b[31mrefused\x1b[0m 0.42 s: busy");
}

TEST(RenderProgress, MoreThanAScreenfulIsCounted) {
  std::vector<Progress> operations;
  for (CpuId cpu = 0; cpu < 10; ++cpu) {
    operations.push_back(Operation(cpu, {"requested"}, cpu < 8 ? "done" : "pending"));
  }
  EXPECT_EQ(Render(operations, {.rows = 5, .columns = 80}),
            (std::vector<std::string>{
                "vCPU 8   add     requested … 0.42 s", "vCPU 9   add     requested … 0.42 s",
                "vCPU 0   add     requested  done 0.42 s", "and 7 more: 7 done"}));
}

TEST(Screen, ClipCountsCharactersAndClosesColours) {
  EXPECT_EQ(Clip("a·b", 2), "a·");
  EXPECT_EQ(Clip("\x1b[31mred\x1b[0m", 2), "\x1b[31mre\x1b[0m");
  EXPECT_EQ(Clip("\x1b[31mred\x1b[0m", 3), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(ColumnsOf("\x1b[31m·x\x1b[0m"), 2U);
}

TEST(Screen, LinesAreDrawnOverTheLastOnes) {
  LiveLines lines;
  EXPECT_EQ(lines.Redraw({"a", "b"}), "a\x1b[K\nb\x1b[K\n\x1b[J");
  EXPECT_EQ(lines.Redraw({"c"}), "\r\x1b[2Ac\x1b[K\n\x1b[J");
  EXPECT_EQ(lines.Redraw({}), "\r\x1b[1A\x1b[J");
}

}  // namespace
}  // namespace tidevm::tidectl
