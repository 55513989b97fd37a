#include "tidevm/cpu_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidevm {
namespace {

TEST(CpuSet, ParsesIdsAndRanges) {
  struct Case {
    const char* text;
    CpuSet set;
  };
  const Case cases[] = {
      {"0", {0}},
      {"7", {7}},
      {"0-3,6", {0, 1, 2, 3, 6}},
      {"6,0-3", {0, 1, 2, 3, 6}},
      {"2-2", {2}},
      {"1,1,0-1", {0, 1}},
      {"007", {7}},
      {"0-7", CpuSet::FirstN(8)},
  };
  for (const auto& [text, set] : cases) {
    const auto parsed = CpuSet::Parse(text, 8);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, set) << text;
  }
}

TEST(CpuSet, RefusesWhatIsNoListAndSaysWhichPiece) {
  struct Case {
    const char* text;
    const char* complaint;
  };
  const Case cases[] = {
      {"", "\"\" is neither"},
      {",", "\"\" is neither"},
      {"0-", "\"0-\" is neither"},
      {"-1", "\"-1\" is neither"},
      {"-", "\"-\" is neither"},
      {"1,,2", "\"\" is neither"},
      {",1", "\"\" is neither"},
      {"1,", "ends in a comma"},
      {"0-3,", "ends in a comma"},
      {"3-1", "\"3-1\" runs backwards"},
      {"1-2-3", "\"1-2-3\" is neither"},
      {"0--3", "\"0--3\" is neither"},
      {" 1", "\" 1\" is neither"},
      {"1 ", "\"1 \" is neither"},
      {"1, 2", "\" 2\" is neither"},
      {"+1", "\"+1\" is neither"},
      {"0x1", "\"0x1\" is neither"},
      {"1.5", "\"1.5\" is neither"},
      {"a", "\"a\" is neither"},
      {"0-a", "\"0-a\" is neither"},
      {"4294967296", "\"4294967296\" is neither"},
      {"99999999999999999999999999", "is neither"},
      {"0-99999999999999999999999999", "is neither"},
      {"8", "8 is above the highest id, 7"},
      {"0-8", "8 is above the highest id, 7"},
      {"0-4294967295", "4294967295 is above the highest id, 7"},
  };
  for (const auto& [text, complaint] : cases) {
    const auto parsed = CpuSet::Parse(text, 8);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(complaint)) << text;
  }
}

TEST(CpuSet, WritesTheShortestList) {
  struct Case {
    CpuSet set;
    const char* text;
  };
  const Case cases[] = {
      {{}, ""},
      {{5}, "5"},
      {{0, 1}, "0-1"},
      {{0, 2, 4}, "0,2,4"},
      {{6, 3, 2, 1, 0}, "0-3,6"},
      {{4294967295U}, "4294967295"},
      {{4294967294U, 4294967295U}, "4294967294-4294967295"},
  };
  for (const auto& [set, text] : cases) {
    EXPECT_EQ(set.ToString(), text);
  }
}

TEST(CpuSet, ReadsBackWhatItWrote) {
  for (unsigned bits = 1; bits < 256; ++bits) {
    CpuSet set;
    for (CpuId cpu = 0; cpu < 8; ++cpu) {
      if ((bits >> cpu & 1U) != 0) {
        set.Insert(cpu);
      }
    }
    EXPECT_EQ(CpuSet::Parse(set.ToString(), 8).value(), set) << set.ToString();
  }
}

TEST(CpuSet, CountsAndForgets) {
  CpuSet set = CpuSet::FirstN(3);
  set.Insert(1);
  EXPECT_EQ(set.size(), 3U);
  set.Erase(1);
  set.Erase(1);
  EXPECT_EQ(set, (CpuSet{0, 2}));
  EXPECT_FALSE(set.Contains(1));
  EXPECT_TRUE(CpuSet::FirstN(0).empty());
}

}  // namespace
}  // namespace tidevm
