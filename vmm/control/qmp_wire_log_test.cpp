// What really went over control sockets, held against docs/qmp-schema.json: the conversation in
// docs, or the log of guest tests that TIDEVM_WIRE_LOG names.
#include <cstdlib>
#include <fstream>
#include <string>

#include "vmm/control/qmp_schema_test_util.h"

namespace tidevm::control {
namespace {

std::string LogPath() {
  const char* const path = std::getenv("TIDEVM_WIRE_LOG");
  return path != nullptr && *path != '\0' ? path : TIDEVM_QMP_CONVERSATION;
}

TEST(QmpWireLog, EveryLineIsAsTheSchemaHasIt) {
  std::ifstream log(LogPath());
  ASSERT_TRUE(log.is_open()) << LogPath();
  std::string command;
  int answers = 0;
  int events = 0;
  for (std::string line; std::getline(log, line);) {
    SCOPED_TRACE(line);
    if (line.starts_with("> ")) {
      const Json request = Json::parse(line.substr(2));
      command = request["execute"];
      EXPECT_EQ(Schema().Errors("#/definitions/request", request), "");
    } else if (line.starts_with("< ")) {
      const Json message = Json::parse(line.substr(2));
      EXPECT_EQ(Schema().Errors("#", message), "");
      if (message.contains("return")) {
        EXPECT_EQ(Schema().Errors(ReturnOf(command), message["return"]), "");
        ++answers;
      } else if (message.contains("event")) {
        EXPECT_EQ(Schema().Errors("#/events/" + message["event"].get<std::string>(), message), "");
        ++events;
      }
    }
  }
  EXPECT_GT(answers, 0);
  EXPECT_GT(events, 0);
  RecordProperty("answers", answers);
  RecordProperty("events", events);
  std::printf("%s: %d answers, %d events\n", LogPath().c_str(), answers, events);
}

}  // namespace
}  // namespace tidevm::control
