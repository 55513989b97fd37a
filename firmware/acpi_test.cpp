// The tables under ACPICA: iasl takes them apart and puts them together again, acpiexec runs the
// methods and shows every access to an I/O port. acpiexec backs the ports with memory that holds
// one fill value; cpu_scan_acpi_test.cpp has a model of the registers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <string>
#include <vector>

#include "firmware/acpi_tools_test_util.h"

namespace tidevm::firmware {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kTrace = "-x 0x1800 ";

class RoundTrip : public AcpiToolsTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(RoundTrip, RecompiledTablesAreTheSameWithoutARemark) {
  WriteTables(GetParam());
  for (const std::string& name :
       {std::string("XSDT"), std::string("FACP"), std::string("APIC"), std::string("DSDT")}) {
    SCOPED_TRACE(name);
    const Output disassembled = Iasl(fmt::format("-p again -d {}.aml", name));
    ASSERT_EQ(disassembled.exit_code, 0) << disassembled.text;
    EXPECT_THAT(disassembled.text, Not(testing::ContainsRegex("[Ww]arning|[Ee]rror")));
    // -on: names stay as long as they are.
    const Output compiled = Iasl("-on -p again again.dsl");
    EXPECT_EQ(compiled.exit_code, 0) << compiled.text;
    EXPECT_THAT(compiled.text, HasSubstr("0 Errors, 0 Warnings, 0 Remarks"));
    EXPECT_EQ(Blanked(ReadFile("again.aml")), Blanked(ReadFile(name + ".aml")));
  }
}

INSTANTIATE_TEST_SUITE_P(MaxCpus, RoundTrip, testing::Values(1, 8, 255));

class Methods : public AcpiToolsTest {
 protected:
  void SetUp() override {
    AcpiToolsTest::SetUp();
    WriteTables(8);
  }

  std::string Evaluate(const std::string& options, const std::string& command) const {
    return AcpiExec(options, "execute " + command, "DSDT.aml");
  }
};

TEST_F(Methods, StaReadsTheFlagsOfItsCpu) {
  const std::string output = Evaluate(std::string(kTrace) + "-fv 0x01", "\\_SB.CPUS.C005._STA");
  EXPECT_THAT(PortAccesses(output), ElementsAre("W4 0CD8 5", "R1 0CDC 1"));
  EXPECT_THAT(output, HasSubstr("[Integer] = 000000000000000F"));
}

TEST_F(Methods, StaIsZeroWhileTheCpuIsNotPresent) {
  EXPECT_THAT(Evaluate("-fv 0xfe", "\\_SB.CPUS.C005._STA"),
              HasSubstr("[Integer] = 0000000000000000"));
}

TEST_F(Methods, EjectWritesOneFlagOfItsCpu) {
  EXPECT_THAT(PortAccesses(Evaluate(kTrace, "\\_SB.CPUS.C003._EJ0 1")),
              ElementsAre("W4 0CD8 3", "W1 0CDC 8"));
}

TEST_F(Methods, Cpu0HasNoEject) {
  ASSERT_EQ(Iasl("-d DSDT.aml").exit_code, 0);
  const std::string asl = ReadFile("DSDT.dsl");
  EXPECT_EQ(Matches(asl, "Method \\((_EJ0), 1").size(), 7);
  const std::size_t cpu0 = asl.find("Device (C000)");
  EXPECT_THAT(asl.substr(cpu0, asl.find("Device (C001)") - cpu0), Not(HasSubstr("_EJ0")));
}

TEST_F(Methods, OstWritesEventThenStatus) {
  EXPECT_THAT(PortAccesses(Evaluate(kTrace, "\\_SB.CPUS.C007._OST 3 0x84 (00)")),
              ElementsAre("W4 0CD8 7", "W1 0CDD 1", "W4 0CE0 3", "W1 0CDD 2", "W4 0CE0 84"));
}

TEST_F(Methods, MatIsTheEnabledMadtEntry) {
  EXPECT_THAT(Evaluate("", "\\_SB.CPUS.C002._MAT"), HasSubstr("00 08 02 02 01 00 00 00"));
}

TEST_F(Methods, HotplugInterruptWithoutEventCostsTwoAccesses) {
  const std::string output = Evaluate(kTrace, "\\_SB.GED._EVT 0x10");
  EXPECT_THAT(PortAccesses(output), ElementsAre("W1 0CDD 0", "R1 0CDC 0"));
  EXPECT_THAT(output, Not(HasSubstr("Notify on")));
}

TEST_F(Methods, PressedPowerButtonIsNotifiedAfterOneRead) {
  const std::string output = Evaluate(std::string(kTrace) + "-fv 1", "\\_SB.GED._EVT 0x11");
  EXPECT_THAT(PortAccesses(output), ElementsAre("R1 0CEB 1"));
  EXPECT_THAT(output, testing::ContainsRegex("Notify on \\[PWRB\\].* Value 0x80"));
}

TEST_F(Methods, PowerButtonThatIsNotPressedIsNotNotified) {
  EXPECT_THAT(Evaluate("", "\\_SB.GED._EVT 0x11"), Not(HasSubstr("Notify on")));
}

TEST_F(Methods, OtherInterruptTouchesNothing) {
  EXPECT_THAT(PortAccesses(Evaluate(kTrace, "\\_SB.GED._EVT 0x12")), IsEmpty());
}

TEST_F(Methods, SoftOffNamesItsSleepType) {
  EXPECT_THAT(Evaluate("", "\\_S5_"), HasSubstr("[Integer] = 0000000000000005"));
}

}  // namespace
}  // namespace tidevm::firmware
