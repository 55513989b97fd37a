#include "tidevm/rate_limit.h"

#include <gtest/gtest.h>

namespace tidevm {
namespace {

using std::chrono::seconds;

class RateLimitTest : public testing::Test {
 protected:
  unsigned TakeAll() {
    unsigned taken = 0;
    while (limit_.Take(now_)) {
      ++taken;
    }
    return taken;
  }

  RateLimit limit_{3, seconds(10)};
  RateLimit::Clock::time_point now_ = RateLimit::Clock::now();
};

TEST_F(RateLimitTest, ABurstGoesAtOnce) {
  EXPECT_EQ(limit_.Next(now_), now_);
  EXPECT_EQ(TakeAll(), 3U);
}

TEST_F(RateLimitTest, AfterTheBurstThereIsOneEveryInterval) {
  TakeAll();
  EXPECT_EQ(limit_.Next(now_), now_ + seconds(10));
  now_ += seconds(9);
  EXPECT_FALSE(limit_.Take(now_));
  now_ += seconds(1);
  EXPECT_EQ(TakeAll(), 1U);
  EXPECT_EQ(limit_.Next(now_), now_ + seconds(10));
}

TEST_F(RateLimitTest, PartsOfAnIntervalAreNotLost) {
  TakeAll();
  now_ += seconds(15);
  EXPECT_EQ(TakeAll(), 1U);
  EXPECT_EQ(limit_.Next(now_), now_ + seconds(5));
}

TEST_F(RateLimitTest, WhatIsNotUsedIsSavedUpToABurst) {
  TakeAll();
  now_ += seconds(20);
  EXPECT_EQ(TakeAll(), 2U);
  now_ += seconds(1000);
  EXPECT_EQ(TakeAll(), 3U);
}

TEST_F(RateLimitTest, TimeBeforeTheFirstUseSavesNothing) {
  now_ += seconds(1000);
  EXPECT_EQ(TakeAll(), 3U);
  EXPECT_EQ(limit_.Next(now_), now_ + seconds(10));
}

TEST_F(RateLimitTest, RenewedThereIsANewBurst) {
  TakeAll();
  limit_.Renew();
  EXPECT_EQ(TakeAll(), 3U);
  EXPECT_EQ(limit_.Next(now_), now_ + seconds(10));
}

}  // namespace
}  // namespace tidevm
