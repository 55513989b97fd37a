#include "tools/tidectl/duration.h"

#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

using std::chrono::milliseconds;

TEST(ParseDuration, TakesEachUnit) {
  EXPECT_EQ(ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(ParseDuration("5s"), milliseconds(5000));
  EXPECT_EQ(ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(ParseDuration("2m"), milliseconds(120000));
  EXPECT_EQ(ParseDuration("1h"), milliseconds(3600000));
}

TEST(ParseDuration, RefusesTheRestAndNamesIt) {
  for (const char* text :
       {"", "5", "s", "-5s", "0s", "5 s", "5sec", "0.1ms", "1e9h", "99999999h", "nan", "infs"}) {
    const auto duration = ParseDuration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_NE(duration.error().message.find(std::string("\"") + text + "\""), std::string::npos);
  }
}

TEST(FormatDuration, ChoosesTheUnit) {
  EXPECT_EQ(FormatDuration(std::chrono::nanoseconds(0)), "0 us");
  EXPECT_EQ(FormatDuration(std::chrono::nanoseconds(412300)), "412 us");
  EXPECT_EQ(FormatDuration(std::chrono::microseconds(93120)), "93.1 ms");
  EXPECT_EQ(FormatDuration(milliseconds(1204)), "1.204 s");
}

}  // namespace
}  // namespace tidevm::tidectl
