#include "tools/benchmark/guest_lines.h"

#include <gtest/gtest.h>

namespace tidevm::benchmark {
namespace {

using std::chrono::microseconds;

TEST(GuestLines, ReadyHasTheGuestsClock) {
  const auto ready = ParseReady("@tidevm READY online=0 uptime=1.034567");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->uptime, microseconds(1'034'567));
}

TEST(GuestLines, WhatFirmwareLeftOnTheLineDoesNotMatter) {
  EXPECT_TRUE(ParseReady("\x1b[2J\x1b[01;00H@tidevm READY online=0-3 uptime=0.000001"));
}

TEST(GuestLines, OnlineSaysHowLongItTook) {
  const auto online = ParseOnline("@tidevm cpu 12 online uptime=12.345678 took-us=4321");
  ASSERT_TRUE(online);
  EXPECT_EQ(online->cpu, 12);
  EXPECT_EQ(online->took, microseconds(4321));
}

TEST(GuestLines, EachIsOnlyWhatItSays) {
  constexpr std::string_view kRemoved = "@tidevm cpu 3 removed uptime=12.345678";
  constexpr std::string_view kFailed = "@tidevm cpu 3 failed errno=5 uptime=1.000000 took-us=7";
  EXPECT_EQ(ParseRemoved(kRemoved), 3);
  EXPECT_EQ(ParseOnlineFailed(kFailed), 3);
  EXPECT_FALSE(ParseOnline(kRemoved));
  EXPECT_FALSE(ParseOnline(kFailed));
  EXPECT_FALSE(ParseRemoved(kFailed));
  EXPECT_FALSE(ParseReady(kRemoved));
}

TEST(GuestLines, TornLinesAreNothing) {
  for (const std::string_view line :
       {"", "@tidevm ", "@tidevm READY",
        "@tidevm READY online=0 uptime=", "@tidevm READY uptime=1.03",
        "@tidevm READY uptime=1.0345678", "READY online=0 uptime=1.034567", "@tidevm cpu online",
        "@tidevm cpu x online took-us=1", "@tidevm cpu 1 online uptime=1.000000",
        "@tidevm cpu 1 online took-us=", "@tidevm cpu 1 online took-us=1x",
        "@tidevm cpu 1 removed"}) {
    EXPECT_FALSE(ParseReady(line)) << line;
    EXPECT_FALSE(ParseOnline(line)) << line;
    EXPECT_FALSE(ParseRemoved(line)) << line;
  }
}

}  // namespace
}  // namespace tidevm::benchmark
