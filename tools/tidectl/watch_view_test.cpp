#include "tools/tidectl/watch_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

WatchedCpu Cpu(CpuId id, bool plugged) {
  return {.cpu = id,
          .wanted = plugged,
          .state = plugged ? "running" : "absent",
          .thread = plugged ? std::to_string(1000 + id) : "-",
          .registered = plugged ? "yes" : "no",
          .online = plugged ? "yes" : "no",
          .cpu_time = plugged ? milliseconds(1500) : milliseconds(0),
          .share = plugged ? std::optional(0.25) : std::nullopt};
}

WatchModel Model(CpuId count, CpuId plugged) {
  WatchModel model{.name = "vm", .status = "running"};
  for (CpuId id = 0; id < count; ++id) {
    model.cpus.push_back(Cpu(id, id < plugged));
  }
  return model;
}

WatchModel WithPending() {
  WatchModel model = Model(3, 2);
  model.cpus[1].online = "unknown";
  model.cpus[2].wanted = true;
  model.cpus[2].pending_kind = "add";
  model.cpus[2].pending_phase = "acknowledged";
  return model;
}

TEST(RenderWatch, WithRoomEachCpuHasARow) {
  EXPECT_THAT(
      RenderWatch(WithPending(), {.rows = 24, .columns = 100}, {}),
      ElementsAre(
          "vm  running  wanted: 3 of 3 (0-2)  online: 1 (0)  q ends",
          "CPU  WANTED  STATE    THREAD  REGISTERED  ONLINE   CPU-TIME  SHARE  PENDING",
          "  0  yes     running    1000  yes         yes       1.500 s    25%  -",
          "  1  yes     running    1001  yes         unknown   1.500 s    25%  -",
          "  2  yes     absent        -  no          no              -      -  add acknowledged"));
}

TEST(RenderWatch, NarrowScreenHasShortRowsSideBySide) {
  EXPECT_THAT(RenderWatch(WithPending(), {.rows = 24, .columns = 56}, {}),
              ElementsAre("vm  running  wanted: 3 of 3 (0-2)  online: 1 (0)  q ends",
                          "  0 running       wro  25%    2 +acknowledged w--    -",
                          "  1 running       wr?  25%",
                          "w wanted  r registered  o online  ? unknown  + add pendi"));
}

TEST(RenderWatch, SixtyFourCpusFitInto24RowsOf80Columns) {
  const auto lines = RenderWatch(Model(64, 64), {.rows = 24, .columns = 80}, {});
  ASSERT_EQ(lines.size(), 1U + 13 + 1);
  EXPECT_EQ(lines[1], "  0 wro  25%   13 wro  25%   26 wro  25%   39 wro  25%   52 wro  25%");
  EXPECT_EQ(lines[13], " 12 wro  25%   25 wro  25%   38 wro  25%   51 wro  25%");
}

TEST(RenderWatch, SixtyFourCpusOnALargeScreenHaveRowsOfTheirOwn) {
  EXPECT_EQ(RenderWatch(Model(64, 64), {.rows = 66, .columns = 80}, {}).size(), 66U);
  EXPECT_THAT(RenderWatch(Model(64, 64), {.rows = 40, .columns = 80}, {})[1],
              "  0 running       wro  25%   32 running       wro  25%");
}

TEST(RenderWatch, IdleCpusGiveWayFirst) {
  const auto lines = RenderWatch(Model(255, 4), {.rows = 24, .columns = 80}, {});
  EXPECT_THAT(lines[1], HasSubstr("CPU  WANTED"));
  EXPECT_EQ(lines.size(), 1U + 1 + 4 + 1);
  EXPECT_EQ(lines.back(), "251 idle are not shown");
}

TEST(RenderWatch, WhatDoesNotFitIsCounted) {
  const auto lines = RenderWatch(Model(255, 254), {.rows = 10, .columns = 80}, {});
  EXPECT_EQ(lines.size(), 10U);
  EXPECT_EQ(lines.back(), "219 more do not fit, 1 idle are not shown");
}

TEST(RenderWatch, NoScreenIsTooSmall) {
  for (std::size_t rows = 0; rows < 6; ++rows) {
    for (std::size_t columns = 0; columns < 30; ++columns) {
      const auto lines = RenderWatch(Model(64, 10), {.rows = rows, .columns = columns},
                                     {.color = true, .unicode = true});
      EXPECT_LE(lines.size(), std::max<std::size_t>(rows, 1));
      for (const std::string& line : lines) {
        EXPECT_LE(ColumnsOf(line), columns) << line;
      }
    }
  }
}

TEST(RenderWatch, PendingRowsAreColouredAndSaySoInWordsToo) {
  const auto lines =
      RenderWatch(WithPending(), {.rows = 24, .columns = 100}, {.color = true, .unicode = true});
  EXPECT_THAT(lines[4], HasSubstr("\x1b[33m  2  yes"));
  EXPECT_THAT(lines[4], HasSubstr("add acknowledged"));
}

TEST(ShareMeter, IsCpuTimeOverTimeOfTheSameThread) {
  const auto vcpus = [](std::int64_t first, std::int64_t second, int thread) {
    return Json{{{"cpu", 0}, {"cpu-time-ns", first}, {"thread-id", 7}},
                {{"cpu", 1}, {"cpu-time-ns", second}, {"thread-id", thread}},
                {{"cpu", 2}, {"cpu-time-ns", 0}}};
  };
  const ShareMeter::Time start{std::chrono::seconds(100)};
  ShareMeter meter;
  meter.Sample(vcpus(1'000'000'000, 0, 8), start);
  EXPECT_EQ(meter.ShareOf(0), std::nullopt);
  meter.Sample(vcpus(1'500'000'000, 100'000'000, 9), start + std::chrono::seconds(2));
  EXPECT_EQ(meter.ShareOf(0), 0.25);
  EXPECT_EQ(meter.ShareOf(1), std::nullopt);  // another thread: its CPU time began anew
  EXPECT_EQ(meter.ShareOf(2), std::nullopt);
}

TEST(WatchModel, TakesThePendingOperationOfEachCpu) {
  const Json vcpus = Json::parse(R"([{"cpu": 0, "wanted": true, "state": "running",
      "thread-id": 5, "online": "yes"}, {"cpu": 1}])");
  const Json operations = Json::parse(R"([
      {"cpu": 0, "kind": "add", "outcome": "done", "phases": [{"phase": "online"}]},
      {"cpu": 1, "kind": "remove", "outcome": "pending", "phases": [{"phase": "a"},
                                                                    {"phase": "notified"}]}])");
  const WatchModel model =
      ToWatchModel({{"status", "paused"}}, {{"name", "n"}}, vcpus, operations, {});
  EXPECT_EQ(model.name + model.status, "npaused");
  EXPECT_EQ(model.cpus[0].thread, "5");
  EXPECT_EQ(model.cpus[0].pending_kind, "");
  EXPECT_EQ(model.cpus[1].pending_kind, "remove");
  EXPECT_EQ(model.cpus[1].pending_phase, "notified");
  EXPECT_EQ(model.cpus[1].online, "-");
}

TEST(Snapshot, DiffersInEverythingButCpuTime) {
  const Json before = ToSnapshot({{"status", "running"}},
                                 Json::parse(R"([{"cpu": 0, "cpu-time-ns": 1}])"), Json::array());
  Json after = before;
  after["vcpus"][0]["cpu-time-ns"] = 2;
  EXPECT_FALSE(Differ(before, after));
  after["vcpus"][0]["online"] = "no";
  EXPECT_TRUE(Differ(before, after));
  EXPECT_TRUE(Differ(nullptr, before));
}

}  // namespace
}  // namespace tidevm::tidectl
