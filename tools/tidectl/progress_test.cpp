#include "tools/tidectl/progress.h"

#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

Progress At(const char* kind, std::vector<std::string> phases, const char* outcome) {
  Json operation = {{"id", 1}, {"cpu", 3}, {"kind", kind}, {"outcome", outcome}};
  operation["phases"] = Json::array();
  for (const std::string& phase : phases) {
    operation["phases"].push_back({{"phase", phase}, {"since-request-ns", 5}});
  }
  Progress progress(operation);
  for (const Json& data : Progress::PhasesOf(operation)) {
    progress.Take(data);
  }
  return progress;
}

// What each kind of waiting makes of each state that an operation can be in.
TEST(Progress, VerdictOfEveryState) {
  struct Row {
    const char* kind;
    std::vector<std::string> phases;
    const char* outcome;
    Verdict done, online, registered, removed;
  };
  using enum Verdict;
  const std::vector<std::string> some = {"requested"};
  const std::vector<std::string> registered = {"requested", "registered"};
  const std::vector<std::string> online = {"requested", "registered", "online"};
  const std::vector<Row> rows = {
      {"add", some, "pending", kWaiting, kWaiting, kWaiting, kHappened},
      {"add", registered, "pending", kWaiting, kWaiting, kHappened, kHappened},
      {"add", online, "done", kHappened, kHappened, kHappened, kHappened},
      {"add", registered, "done", kHappened, kOnlineUnknown, kHappened, kHappened},
      {"add", some, "timed-out", kTimedOut, kTimedOut, kTimedOut, kHappened},
      {"add", registered, "timed-out", kTimedOut, kTimedOut, kHappened, kHappened},
      {"add", some, "refused", kFailed, kFailed, kFailed, kHappened},
      {"add", registered, "cancelled", kFailed, kFailed, kFailed, kHappened},
      {"remove", some, "pending", kWaiting, kWaiting, kHappened, kWaiting},
      {"remove", some, "done", kHappened, kHappened, kHappened, kHappened},
      {"remove", some, "timed-out", kTimedOut, kTimedOut, kHappened, kTimedOut},
      {"remove", some, "failed", kFailed, kFailed, kHappened, kFailed},
  };
  for (const Row& row : rows) {
    const Progress progress = At(row.kind, row.phases, row.outcome);
    SCOPED_TRACE(progress.latest().dump());
    EXPECT_EQ(progress.For(WaitFor::kDone), row.done);
    EXPECT_EQ(progress.For(WaitFor::kOnline), row.online);
    EXPECT_EQ(progress.For(WaitFor::kRegistered), row.registered);
    EXPECT_EQ(progress.For(WaitFor::kRemoved), row.removed);
  }
}

TEST(Progress, EachPhaseIsNewOnceAndNothingAfterTheEnd) {
  Progress progress = At("add", {"requested", "created"}, "pending");
  EXPECT_FALSE(progress.Take({{"phase", "created"}, {"outcome", "pending"}}));
  EXPECT_TRUE(progress.Take({{"phase", "started"}, {"outcome", "pending"}}));
  EXPECT_TRUE(progress.Take({{"phase", "started"}, {"outcome", "cancelled"}}));
  EXPECT_FALSE(progress.Take({{"phase", "registered"}, {"outcome", "pending"}}));
  EXPECT_EQ(progress.phases(), (std::vector<std::string>{"requested", "created", "started"}));
}

TEST(Progress, OnlyARegisteredAdditionLacksOnline) {
  EXPECT_TRUE(At("add", {"registered"}, "timed-out").LacksOnline());
  EXPECT_FALSE(At("add", {"notified"}, "timed-out").LacksOnline());
  EXPECT_FALSE(At("add", {"registered"}, "done").LacksOnline());
  EXPECT_FALSE(At("add", {"registered", "online"}, "pending").LacksOnline());
}

}  // namespace
}  // namespace tidevm::tidectl
