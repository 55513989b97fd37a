#include "vmm/control/event_throttle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vmm/control/machine_json.h"

namespace tidevm::control {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

// For what is passed at once no time must matter; for what is passed later little of it.
constexpr EventLimits kForCounting{.burst = 3, .interval = std::chrono::hours(1)};
constexpr EventLimits kForWaiting{.burst = 3, .interval = milliseconds(20)};

event::VcpuState State(CpuId cpu, bool online) {
  return {.cpu = cpu, .state = "running", .online = online};
}
event::AcpiDeviceOst Ost(CpuId cpu, std::uint32_t status) {
  return {.cpu = cpu, .report = {.event = 1, .status = status}};
}
event::VcpuOperation Operation(CpuId cpu) { return {.id = 1, .cpu = cpu, .phase = "notified"}; }

class EventThrottleTest : public testing::Test {
 protected:
  explicit EventThrottleTest(EventLimits limits = kForCounting) : limits_(limits) {}

  void PublishStates(int count, CpuId cpu = 1) {
    for (int i = 0; i < count; ++i) {
      throttle_.Publish(State(cpu, i % 2 == 0));
    }
  }

  void RunLoopFor(milliseconds time) {
    loop_.After(time, [this] { loop_.Quit(); });
    ASSERT_TRUE(loop_.Run());
  }

  static std::string Describe(const Event& event) {
    if (const auto* state = std::get_if<event::VcpuState>(&event)) {
      return fmt::format("{}:{}", state->cpu, *state->online ? "up" : "down");
    }
    if (const auto* ost = std::get_if<event::AcpiDeviceOst>(&event)) {
      return fmt::format("{}:ost {}", ost->cpu, ost->report.status);
    }
    return std::string(ToMessage(event).name);
  }

  const EventLimits limits_;
  EventLoop loop_ = *EventLoop::Create();
  std::vector<std::string> passed_;
  std::vector<EventThrottle::Time> times_;
  EventThrottle throttle_{loop_,
                          [this](const Event& event, EventThrottle::Time when) {
                            passed_.push_back(Describe(event));
                            times_.push_back(when);
                          },
                          limits_};
};

class EventThrottleTimeTest : public EventThrottleTest {
 protected:
  EventThrottleTimeTest() : EventThrottleTest(kForWaiting) {}
};

TEST_F(EventThrottleTest, OfAFloodABurstPassesAtOnce) {
  PublishStates(1000);
  EXPECT_THAT(passed_, ElementsAre("1:up", "1:down", "1:up"));
}

TEST_F(EventThrottleTest, CpusAndKindsDoNotShareTheirBursts) {
  PublishStates(10, 1);
  PublishStates(1, 2);
  throttle_.Publish(Ost(1, 5));
  EXPECT_THAT(passed_, ElementsAre("1:up", "1:down", "1:up", "2:up", "1:ost 5"));
}

TEST_F(EventThrottleTest, AnOperationLetsTheLatestOfItsCpuPassFirst) {
  PublishStates(6, 1);
  PublishStates(6, 2);
  for (std::uint32_t status = 0; status < 6; ++status) {
    throttle_.Publish(Ost(1, status));
  }
  passed_.clear();
  throttle_.Publish(Operation(1));
  EXPECT_THAT(passed_, ElementsAre("1:ost 5", "1:down", "VCPU_OPERATION"));
}

TEST_F(EventThrottleTest, AnOperationGivesItsCpuANewBurst) {
  PublishStates(6);
  throttle_.Publish(Operation(1));
  passed_.clear();
  PublishStates(6);
  EXPECT_THAT(passed_, ElementsAre("1:up", "1:down", "1:up"));
}

TEST_F(EventThrottleTest, OtherKindsPassAtOnceHoweverMany) {
  for (int i = 0; i < 100; ++i) {
    throttle_.Publish(event::Reset{.guest = true, .reason = ShutdownCause::kGuestReset});
  }
  EXPECT_EQ(passed_.size(), 100U);
}

TEST_F(EventThrottleTimeTest, TheLatestOfAFloodPassesLaterWithItsOwnTime) {
  PublishStates(1000);
  const auto last = std::chrono::system_clock::now();
  RunLoopFor(3 * limits_.interval);
  ASSERT_GE(passed_.size(), 4U);
  EXPECT_EQ(passed_.back(), "1:down");
  EXPECT_LE(times_.back(), last);
}

TEST_F(EventThrottleTimeTest, AFloodThatGoesOnPassesOnceAnInterval) {
  const auto start = RateLimit::Clock::now();
  std::function<void()> flood = [&] {
    PublishStates(10);
    loop_.After(milliseconds(1), flood);
  };
  flood();
  RunLoopFor(10 * limits_.interval);
  const auto intervals = (RateLimit::Clock::now() - start) / limits_.interval;
  EXPECT_GE(passed_.size(), 4U);
  EXPECT_LE(passed_.size(), limits_.burst + static_cast<std::size_t>(intervals));
}

TEST_F(EventThrottleTimeTest, WhatWaitsWhenTheThrottleGoesIsNotPassed) {
  int passed = 0;
  {
    EventThrottle throttle(
        loop_, [&](const Event&, EventThrottle::Time) { ++passed; }, limits_);
    for (int i = 0; i < 10; ++i) {
      throttle.Publish(State(1, true));
    }
  }
  RunLoopFor(3 * limits_.interval);
  EXPECT_EQ(passed, 3);
}

}  // namespace
}  // namespace tidevm::control
