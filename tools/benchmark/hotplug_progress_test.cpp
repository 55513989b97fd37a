#include "tools/benchmark/hotplug_progress.h"

#include <gtest/gtest.h>

namespace tidevm::benchmark {
namespace {

constexpr Clock::time_point kNow{std::chrono::seconds(5)};

HotplugProgress After(std::string_view message) {
  HotplugProgress progress;
  progress.Note(QmpMessage{.text = std::string(message), .arrived = kNow});
  return progress;
}

// The same message as each of the two writes it.
constexpr std::string_view kRegistered[] = {
    R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "ACPI_DEVICE_OST", "data": {"info": {"device": "cpu1", "source": 1, "status": 0, "slot": "1", "slot-type": "CPU"}}})",
    R"({"data":{"info":{"device":"cpu1","slot":"1","slot-type":"CPU","source":1,"status":0}},"event":"ACPI_DEVICE_OST","timestamp":{"microseconds":2,"seconds":1}})"};

TEST(HotplugProgress, RegisteredIsTheGuestsWord) {
  for (const std::string_view text : kRegistered) {
    const HotplugProgress progress = After(text);
    EXPECT_EQ(progress.registered.count, 1U);
    EXPECT_EQ(progress.registered.last, kNow);
    EXPECT_EQ(progress.failure, "");
  }
}

TEST(HotplugProgress, RemovalsHaveABeginningAndAnEnd) {
  EXPECT_EQ(After(R"({"event":"ACPI_DEVICE_OST","data":{"info":{"source":3,"status":132}}})")
                .in_progress.count,
            1U);
  EXPECT_EQ(After(R"({"event":"ACPI_DEVICE_OST","data":{"info":{"source":3,"status":0}}})")
                .reported.count,
            1U);
  EXPECT_EQ(After(R"({"event": "DEVICE_DELETED", "data": {"device": "cpu1"}})").deleted.count, 1U);
}

TEST(HotplugProgress, RefusalsAndErrorsAreFailures) {
  EXPECT_NE(After(R"({"event":"ACPI_DEVICE_OST","data":{"info":{"source":1,"status":1}}})").failure,
            "");
  EXPECT_NE(After(R"({"error": {"class": "GenericError", "desc": "no"}})").failure, "");
  EXPECT_NE(
      After(R"({"data":{"id":1,"kind":"add","outcome":"timed-out"},"event":"VCPU_OPERATION"})")
          .failure,
      "");
}

TEST(HotplugProgress, OperationsCountWhenTheyAreDone) {
  EXPECT_EQ(After(R"({"data":{"id":1,"outcome":"pending"},"event":"VCPU_OPERATION"})").done.count,
            0U);
  const HotplugProgress progress =
      After(R"({"data":{"id":1,"outcome":"done"},"event":"VCPU_OPERATION"})");
  EXPECT_EQ(progress.done.count, 1U);
  EXPECT_EQ(progress.failure, "");
}

TEST(HotplugProgress, AnswersAreNoEvents) {
  EXPECT_EQ(After(R"({"return": {}})").answers.count, 1U);
  EXPECT_EQ(After(R"({"event":"STOP"})").answers.count, 0U);
  // An answer to a command that had an id belongs to whoever asked.
  EXPECT_EQ(After(R"({"id":4,"return":{}})").answers.count, 0U);
}

TEST(HotplugProgress, TheGuestsLinesCount) {
  HotplugProgress progress;
  progress.Note(
      StampedLine{.text = "@tidevm cpu 1 online uptime=1.000000 took-us=70", .arrived = kNow});
  progress.Note(StampedLine{.text = "@tidevm cpu 2 online uptime=2.000000 took-us=80",
                            .arrived = kNow + std::chrono::seconds(1)});
  progress.Note(StampedLine{.text = "@tidevm cpu 2 removed uptime=3.000000", .arrived = kNow});
  EXPECT_EQ(progress.online.count, 2U);
  EXPECT_EQ(progress.online.last, kNow + std::chrono::seconds(1));
  EXPECT_EQ(progress.online_took,
            (std::vector{std::chrono::microseconds(70), std::chrono::microseconds(80)}));
  EXPECT_EQ(progress.gone.count, 1U);
  progress.Note(
      StampedLine{.text = "@tidevm cpu 3 failed errno=5 uptime=3.1 took-us=1", .arrived = kNow});
  EXPECT_NE(progress.failure, "");
}

TEST(QmpMessages, AreCutAtLineEndsAndHaveTheTimeOfTheirEnd) {
  QmpMessages messages;
  messages.Append("{\"return\"", kNow);
  EXPECT_TRUE(messages.all().empty());
  messages.Append(": {}}\r\n{\"event\": \"STOP\"}\n{", kNow + std::chrono::seconds(1));
  ASSERT_EQ(messages.all().size(), 2U);
  EXPECT_EQ(messages.all()[0].text, "{\"return\": {}}");
  EXPECT_EQ(messages.all()[0].arrived, kNow + std::chrono::seconds(1));
  EXPECT_TRUE(messages.all()[1].IsEvent("STOP"));
  EXPECT_FALSE(messages.all()[1].IsEvent("STO"));
}

}  // namespace
}  // namespace tidevm::benchmark
