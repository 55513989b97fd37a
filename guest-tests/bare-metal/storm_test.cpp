#include <cstdio>
#include <map>

#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

using Storm = BareMetalTest;

TEST_F(Storm, OverTheRegistersLeavesAWorkingMachine) {
  constexpr int kRounds = 20;
  TIDEVM_ASSERT_DONE(Start("storm", {.cpus = "boot=3,max=8"}));
  TIDEVM_ASSERT_DONE(Says("storm"));
  std::map<std::string, int> outcomes;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    for (const char* const wanted : {"0-7", "0-2"}) {
      TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"cpus", wanted}, {"timeout-ms", 200}}));
      for (const OperationEnd& end : ended) {
        ++outcomes[end.kind + " " + end.outcome];
      }
      TIDEVM_ASSERT_DONE(Answers());
    }
    // Nobody asked for these.
    for (const CpuId cpu : {0U, 1U, 2U}) {
      TIDEVM_ASSERT_OK(vcpu, Vcpu(cpu));
      ASSERT_EQ(vcpu["state"], "running") << vcpu;
    }
  }
  for (const auto& [outcome, count] : outcomes) {
    std::printf("%s: %d\n", outcome.c_str(), count);
  }
  TIDEVM_ASSERT_DONE(Tell("enough"));
  TIDEVM_ASSERT_DONE(Says("calm"));
  for (const char* const wanted : {"0-2", "0-7", "0-2"}) {
    TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"cpus", wanted}}));
    for (const OperationEnd& end : ended) {
      EXPECT_EQ(end.outcome, "done") << end.kind << " of vCPU " << end.cpu << ": " << end.reason;
    }
    EXPECT_EQ(threads(), wanted);
  }
  TIDEVM_ASSERT_DONE(Tell("end"));
  TIDEVM_ASSERT_DONE(Passes());
}

}  // namespace
}  // namespace tidevm::guest_tests
