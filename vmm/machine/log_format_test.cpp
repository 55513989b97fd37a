#include "vmm/machine/log_format.h"

#include <gtest/gtest.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <sstream>

#include <nlohmann/json.hpp>

namespace tidevm::machine {
namespace {

using nlohmann::json;
using std::chrono::system_clock;
using namespace std::chrono_literals;

std::string Line(LogFormat format, spdlog::level::level_enum level, std::string_view message,
                 system_clock::time_point time = {}) {
  const spdlog::details::log_msg given(time, {}, "tidevm", level,
                                       spdlog::string_view_t(message.data(), message.size()));
  spdlog::memory_buf_t line;
  MakeLogFormatter(format)->format(given, line);
  return {line.data(), line.size()};
}

TEST(LogFormat, TextIsWhatPeopleRead) {
  EXPECT_EQ(Line(LogFormat::kText, spdlog::level::warn, "one \"two\""),
            "tidevm: warning: one \"two\"\n");
}

TEST(LogFormat, JsonIsOneObjectALineWithItsMembersInOrder) {
  const system_clock::time_point time =
      std::chrono::sys_days(std::chrono::January / 2 / 2026) + 3h + 4min + 5s + 678901us;
  EXPECT_EQ(Line(LogFormat::kJson, spdlog::level::info, "up", time),
            R"({"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"up"})"
            "\n");
}

TEST(LogFormat, JsonTimesAlwaysHaveSixDigitsOfTheSecond) {
  const auto time = [](system_clock::duration since_epoch) {
    const auto line =
        Line(LogFormat::kJson, spdlog::level::info, "", system_clock::time_point(since_epoch));
    return json::parse(line)["time"].get<std::string>();
  };
  EXPECT_EQ(time(0s), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(time(1us), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(time(999'999'999ns), "1970-01-01T00:00:00.999999Z");
  EXPECT_EQ(time(-1ns), "1969-12-31T23:59:59.999999Z");
}

TEST(LogFormat, JsonLevelsAreTheWordsOfTheOption) {
  const auto level = [](spdlog::level::level_enum given) {
    return json::parse(Line(LogFormat::kJson, given, ""))["level"].get<std::string>();
  };
  EXPECT_EQ(level(spdlog::level::err), "error");
  EXPECT_EQ(level(spdlog::level::warn), "warn");
  EXPECT_EQ(level(spdlog::level::info), "info");
  EXPECT_EQ(level(spdlog::level::debug), "debug");
}

TEST(LogFormat, JsonKeepsAMessageWholeAndOnOneLine) {
  using std::string_literals::operator""s;
  for (const std::string& message :
       {""s, "a \"quoted\" \\ back/slash"s, "two\nlines\r\n\ttabbed"s, "nul\0byte\x1b[31m\x7f"s,
        "{\"level\":\"error\"}"s, "g\u00fcltig \u4e2d \U0001f600"s, std::string(100'000, '"')}) {
    const std::string line = Line(LogFormat::kJson, spdlog::level::info, message);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(json::parse(line)["message"].get<std::string>(), message);
  }
}

TEST(LogFormat, JsonReplacesWhatIsNotUtf8) {
  const auto message = [](std::string_view given) {
    return json::parse(Line(LogFormat::kJson, spdlog::level::info, given))["message"]
        .get<std::string>();
  };
  EXPECT_EQ(message("name \xff."), "name \ufffd.");
  EXPECT_EQ(message("cut \xe4\xb8"), "cut \ufffd");
}

TEST(LogFormat, ALoggerTakesItsClones) {
  std::ostringstream written;
  spdlog::logger logger("test", {std::make_shared<spdlog::sinks::ostream_sink_st>(written),
                                 std::make_shared<spdlog::sinks::ostream_sink_st>(written)});
  logger.set_formatter(MakeLogFormatter(LogFormat::kJson));
  logger.warn("{} of {}", 1, 2);
  std::istringstream lines(written.str());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(json::parse(line)["message"], "1 of 2");
  }
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace tidevm::machine
