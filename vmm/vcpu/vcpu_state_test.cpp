#include "vmm/vcpu/vcpu_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace tidevm::vcpu {
namespace {

using enum VcpuState;
using enum VcpuEvent;

constexpr VcpuState kAllStates[] = {kAbsent,   kCreated, kRunning, kUnplugRequested,
                                    kEjecting, kParked,  kFailed};
constexpr VcpuEvent kAllEvents[] = {kCreate, kStart,  kUnplugRequest, kUnplugRefused,
                                    kEject,  kJoined, kRevive,        kFail};

const std::map<std::pair<VcpuState, VcpuEvent>, VcpuState> kLegal = {
    {{kAbsent, kCreate}, kCreated},
    {{kCreated, kStart}, kRunning},
    {{kRunning, kUnplugRequest}, kUnplugRequested},
    {{kRunning, kEject}, kEjecting},
    {{kRunning, kFail}, kFailed},
    {{kUnplugRequested, kUnplugRefused}, kRunning},
    {{kUnplugRequested, kEject}, kEjecting},
    {{kUnplugRequested, kFail}, kFailed},
    {{kEjecting, kJoined}, kParked},
    {{kParked, kRevive}, kCreated},
    {{kFailed, kUnplugRequest}, kFailed},
    {{kFailed, kUnplugRefused}, kFailed},
    {{kFailed, kEject}, kEjecting},
};

TEST(VcpuState, EveryEdgeIsAsTheTableSays) {
  for (const VcpuState state : kAllStates) {
    for (const VcpuEvent event : kAllEvents) {
      const auto legal = kLegal.find({state, event});
      const std::optional<VcpuState> expected =
          legal == kLegal.end() ? std::nullopt : std::optional(legal->second);
      EXPECT_EQ(NextState(state, event), expected) << ToString(state) << " on " << ToString(event);
    }
  }
}

TEST(VcpuState, NoStateIsADeadEndButThatOfAMissingDescriptor) {
  for (const VcpuState state : kAllStates) {
    bool leaves = false;
    for (const VcpuEvent event : kAllEvents) {
      leaves |= NextState(state, event).has_value();
    }
    EXPECT_TRUE(leaves) << ToString(state);
  }
}

}  // namespace
}  // namespace tidevm::vcpu
