// Pauses that meet hotplug. Pitfall 4: the machine thread waits for no vCPU, and a pause for none
// that is on its way out.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "vmm/machine/machine_test_util.h"

namespace tidevm::machine {
namespace {

using control::Json;

bool IsState(const Json& event, CpuId cpu, std::string_view state) {
  return event["event"] == "VCPU_STATE" && event["data"]["cpu"] == cpu &&
         event["data"]["state"] == state;
}

TEST(MachinePause, ThatMeetsAnEjectionLeavesTheMachineAnswering) {
  RunningMachine machine("boot=2,max=2");
  MachineClient client(machine);
  MachineClient other(machine);
  machine.kvm().HoldBeforeRun(1);
  client.Execute("set-vcpus", {{"cpus", "0"}});
  ASSERT_TRUE(client.WaitForEvent([](const Json& event) { return IsState(event, 1, "ejecting"); }));
  ASSERT_TRUE(machine.kvm().WaitUntilHeld());

  client.Send("stop");
  EXPECT_EQ(other.Execute("query-status")["status"], "running") << "not every vCPU is held yet";
  machine.kvm().Release();

  client.Answer();
  EXPECT_EQ(other.Execute("query-status")["status"], "paused");
  client.Execute("cont");
  EXPECT_EQ(client.Execute("query-vcpus")[1]["state"], "parked");
}

TEST(MachinePause, StormOfThemLosesNoRequest) {
  constexpr int kRounds = 300;
  RunningMachine machine("boot=1,max=4");
  MachineClient client(machine);
  for (int round = 0; round < kRounds; ++round) {
    client.Send("set-vcpus", {{"cpus", round % 2 == 0 ? "0-3" : "0"}});
    client.Send("stop");
    client.Answer();
    client.Answer();
    client.Execute("cont");
    ASSERT_FALSE(HasFailure()) << round;
  }
  client.Execute("set-vcpus", {{"cpus", "0,2-3"}});
  const auto pending = [&] {
    const Json operations = client.Execute("query-vcpu-operations");
    return std::ranges::any_of(
        operations, [](const Json& operation) { return operation["outcome"] == "pending"; });
  };
  while (pending()) {
    ASSERT_TRUE(client.WaitForEvent([](const Json& event) {
      return event["event"] == "VCPU_OPERATION" && event["data"]["outcome"] != "pending";
    }));
  }
  const Json vcpus = client.Execute("query-vcpus");
  for (const CpuId cpu : {0U, 1U, 2U, 3U}) {
    EXPECT_EQ(vcpus[cpu]["state"], cpu == 1 ? "parked" : "running") << vcpus[cpu];
    EXPECT_EQ(vcpus[cpu]["acpi-present"], cpu != 1) << vcpus[cpu];
  }
}

}  // namespace
}  // namespace tidevm::machine
