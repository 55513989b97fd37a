#include "tools/tidectl/render.h"

#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

TEST(Table, ColumnsAreAlignedAndLinesHaveNoTrailingBlanks) {
  Table table({{"N", true}, {"NAME"}, {"X"}});
  table.AddRow({"1", "a", ""});
  table.AddRow({"100", "longer", "x"});
  EXPECT_EQ(table.ToString(),
            "  N  NAME    X\n"
            "  1  a\n"
            "100  longer  x\n");
}

TEST(RenderVcpus, UnknownAndMissingMembersShowAsADash) {
  const Json vcpus = Json::parse(R"([
    {"cpu": 0, "wanted": true, "state": "running", "thread-id": 17, "cpu-time-ns": 1500000000,
     "acpi-present": true, "registered": "yes", "last-ost": {"source": 3, "status": 132},
     "online": "yes", "affinity": "0-1",
     "props": {"socket-id": 0, "core-id": 0, "thread-id": 0}, "device-id": "d"},
    {"cpu": 1, "insert-event": true, "remove-event": true}])");
  EXPECT_EQ(RenderVcpus(vcpus),
            "CPU  WANTED  STATE    THREAD  CPU-TIME  ACPI     EVENTS         REGISTERED  ONLINE  "
            "LAST-OST  AFFINITY  SOCKET/CORE/THREAD  DEVICE\n"
            "  0  yes     running      17   1.500 s  present  -              yes         yes     "
            "3/0x84    0-1       0/0/0               d\n"
            "  1  -       -             -         -  -        insert,remove  -           -       "
            "-         -         -                   -\n");
}

TEST(RenderStatus, NamesTheWantedSetOnlyWhereItDiffers) {
  Json vcpus = Json::parse(R"([{"cpu": 0, "wanted": true, "thread-id": 5},
                               {"cpu": 1, "wanted": true}, {"cpu": 2, "wanted": false}])");
  EXPECT_EQ(RenderStatus({{"status", "running"}}, {{"name", "vm"}}, vcpus),
            "name     vm\nstatus   running\nvCPUs    1 of 3: 0 (wanted: 0-1)\n");
  vcpus[1]["wanted"] = false;
  EXPECT_EQ(RenderStatus({{"status", "paused"}}, Json::object(), vcpus),
            "name     -\nstatus   paused\nvCPUs    1 of 3: 0\n");
}

TEST(RenderPhase, OutcomeIsAWordAndAColourOnlyIfAsked) {
  const Json phase = {{"cpu", 3},
                      {"kind", "remove"},
                      {"phase", "acknowledged"},
                      {"outcome", "refused"},
                      {"reason", "busy"},
                      {"since-request-ns", 93'120'000}};
  EXPECT_EQ(RenderPhase(phase, {.color = false}),
            "   93.1 ms  vCPU 3    remove  acknowledged  refused: busy");
  EXPECT_EQ(RenderPhase(phase, {.color = true}),
            "   93.1 ms  vCPU 3    remove  acknowledged  \x1b[31mrefused\x1b[0m: busy");
}

TEST(RenderEvent, MembersFollowTheName) {
  const Json event = Json::parse(R"({"event": "RESET", "data": {"guest": true, "reason": "x"},
                                     "timestamp": {"seconds": 0, "microseconds": 7000}})");
  EXPECT_EQ(RenderEvent(event, {}).substr(8),
            ".007  RESET                     guest=true reason=x");
}

}  // namespace
}  // namespace tidevm::tidectl
