#include "vmm/machine/host_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::machine {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

HostFinding Finding(std::string name, bool ok, std::string detail = {}) {
  return {.name = std::move(name), .ok = ok, .detail = std::move(detail), .meaning = "why"};
}

HostReport Concluded(std::vector<HostFinding> findings, const HostFacts& facts = {}) {
  HostReport report;
  report.findings = std::move(findings);
  report.facts = facts;
  report.kind = Classify(report.findings);
  Conclude(report);
  return report;
}

TEST(HostCheck, NothingFoundIsNoKvm) { EXPECT_EQ(Classify({}), HostKind::kNone); }

TEST(HostCheck, ADeviceThatDoesNotOpenIsNoKvm) {
  const std::vector findings = {Finding("device", false)};
  EXPECT_EQ(Classify(findings), HostKind::kNone);
}

TEST(HostCheck, EverythingPassedIsFit) {
  const std::vector findings = {Finding("device", true), Finding("SYSCALL and SYSRET", true)};
  EXPECT_EQ(Classify(findings), HostKind::kFit);
}

TEST(HostCheck, OneFailureIsNotFit) {
  const std::vector findings = {Finding("device", true), Finding("SYSCALL and SYSRET", false),
                                Finding("FWAIT", true)};
  EXPECT_EQ(Classify(findings), HostKind::kInterpreting);
}

TEST(HostCheck, SpeedIsJudgedAgainstTheLoopOutside) {
  EXPECT_FALSE(RunsOnProcessor(4e6, 3e9));
  EXPECT_TRUE(RunsOnProcessor(3e9, 3e9));
  EXPECT_TRUE(RunsOnProcessor(8e6, 9e6)) << "a slow host is no interpreter";
  EXPECT_FALSE(RunsOnProcessor(0, 0));
}

TEST(HostCheck, FitEndsInTheVerdictAndNeedsNoRemedy) {
  const std::string text =
      Render(Concluded({Finding("device", true)}, {.virtual_machine = false, .vmx = true}));
  EXPECT_THAT(text, EndsWith("verdict: fit for Linux guests (hardware)\n"));
  EXPECT_THAT(text, Not(HasSubstr("remedy")));
}

TEST(HostCheck, ANestedHostIsFitAndSaysSo) {
  const std::string text =
      Render(Concluded({Finding("device", true)},
                       {.virtual_machine = true, .hypervisor = "KVMKVMKVM", .svm = true}));
  EXPECT_THAT(text, AllOf(HasSubstr("in a virtual machine (hypervisor \"KVMKVMKVM\"), SVM"),
                          HasSubstr("verdict: fit for Linux guests (nested")));
}

TEST(HostCheck, AnInterpreterIsNamedWithTheRemedy) {
  HostReport report;
  report.kind = HostKind::kInterpreting;
  report.instructions_per_second = 4e6;
  report.host_instructions_per_second = 3e9;
  report.findings = {Finding("device", true), Finding("SYSCALL and SYSRET", false, "CS 0x13")};
  Conclude(report);
  EXPECT_THAT(Render(report),
              AllOf(HasSubstr("FAIL  SYSCALL and SYSRET"), HasSubstr("-> CS 0x13"),
                    HasSubstr("tools/kvm-host run"),
                    HasSubstr("\nverdict: not fit: this KVM interprets guest kernels")));
}

TEST(HostCheck, AFastKvmThatLacksSomethingIsNotCalledAnInterpreter) {
  HostReport report;
  report.kind = HostKind::kInterpreting;
  report.instructions_per_second = 3e9;
  report.host_instructions_per_second = 3e9;
  report.findings = {Finding("device", true), Finding("second processor", false)};
  Conclude(report);
  EXPECT_EQ(report.summary, "not fit: a Linux guest needs what fails here (second processor)");
}

TEST(HostCheck, NoDeviceGivesItsErrorAsTheVerdict) {
  const HostReport report = CheckHost("/nonexistent/kvm");
  EXPECT_EQ(report.kind, HostKind::kNone);
  const std::string text = Render(report);
  EXPECT_THAT(text, HasSubstr("\nverdict: no KVM: /nonexistent/kvm: "));
  EXPECT_THAT(text, HasSubstr("remedy: "));
}

}  // namespace
}  // namespace tidevm::machine
