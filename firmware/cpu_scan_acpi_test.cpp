// CSCN under acpiexec against a model of the hotplug registers.
//
// acpiexec knows I/O ports as memory only, so the DSDT is disassembled, its four register fields
// become methods of the model below, and it is compiled again. What runs is the DSDT's own code;
// the widths and offsets of its fields are checked in acpi_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "firmware/acpi_tools_test_util.h"

namespace tidevm::firmware {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

// The contract of tidevm/cpu_hotplug_registers.h, as ASL. Every access is printed.
constexpr const char* kModel = R"(
        Name (MSEL, Zero)
        Name (MCMD, Zero)
        Name (MCPU, Buffer () { @FLAGS@ })
        Method (WSEL, 1) { Printf ("W CSEL %o", Arg0)  MSEL = Arg0 }
        Method (RFLG, 0) {
            Local0 = DerefOf (MCPU [MSEL])
            Printf ("R CFLG %o", Local0)
            Return (Local0)
        }
        Method (WFLG, 1) {
            Printf ("W CFLG %o", Arg0)
            Local0 = DerefOf (MCPU [MSEL])
            If (Arg0 & Local0 & 0x02) { Local0 = ((Local0 & 0xFD) | One) }
            If (Arg0 & 0x04) { Local0 &= 0xFB }
            If (Arg0 & 0x08) { Local0 &= 0xFE }
            MCPU [MSEL] = Local0
        }
        Method (WCMD, 1) {
            Printf ("W CCMD %o", Arg0)
            MCMD = Arg0
            If (Arg0 != Zero) { Return }
            Local0 = MSEL
            Local1 = SizeOf (MCPU)
            While (Local1) {
                If (DerefOf (MCPU [Local0]) & 0x06) { MSEL = Local0  Return }
                Local0 = ((Local0 + 1) % SizeOf (MCPU))
                Local1--
            }
        }
        Method (RDAT, 0) {
            Local0 = Zero
            If (MCMD == Zero) { Local0 = MSEL }
            Printf ("R CDAT %o", Local0)
            Return (Local0)
        }
        Method (WDAT, 1) { Printf ("W CDAT %o", Arg0) }
)";

class CpuScan : public AcpiToolsTest {
 protected:
  /// Runs `commands` on a machine whose CPUs start with these flags.
  void RunWithFlags(const std::vector<std::uint8_t>& flags, const std::string& commands) {
    WriteTables(static_cast<std::uint32_t>(flags.size()));
    ASSERT_EQ(Iasl("-d DSDT.aml").exit_code, 0);
    WriteFile("model.dsl", WithModel(ReadFile("DSDT.dsl"), flags));
    const Output compiled = Iasl("-p model model.dsl");
    ASSERT_EQ(compiled.exit_code, 0) << compiled.text;
    output_ = AcpiExec("", commands, "model.aml");
  }

  /// Accesses and notifications in the order in which the method makes them.
  std::vector<std::string> Steps() const {
    return Matches(output_, "ACPI Debug: +\"([RWN] \\w+) 0*([0-9A-F]+)\"");
  }

  /// What the operating system received; the order is that of its threads.
  std::vector<std::string> Notifications() const {
    return Matches(output_, R"(Notify on \[(\w+)\] \w+ Value (0x[0-9A-F]+))");
  }

  std::vector<std::string> Results() const {
    return Matches(output_, "\\[Integer\\] = 0*([0-9A-F]+)\n");
  }

 private:
  static std::string WithModel(const std::string& asl, const std::vector<std::uint8_t>& flags) {
    std::string list;
    for (const std::uint8_t flag : flags) {
      list += fmt::format("{}{}", list.empty() ? "" : ", ", flag);
    }
    const std::size_t region = asl.find("OperationRegion (PRST");
    const std::size_t methods = asl.find("Method (CSTA");
    EXPECT_NE(region, std::string::npos);
    EXPECT_NE(methods, std::string::npos);
    const std::string model = Replace(kModel, "@FLAGS@", list);
    std::string code = asl.substr(methods);
    code = Replace(code, " */\\*[^*]*\\*/", "");
    code = Replace(code, "\\bC(SEL|FLG|CMD|DAT) = ([^\n]*)", "W$1 ($2)");
    code = Replace(code, "\\bC(FLG|DAT)\\b", "R$1 ()");
    code = Replace(code, "Notify \\((C[0-9A-F]{3}), Arg1\\)", "Printf (\"N $1 %o\", Arg1)\n$&");
    return asl.substr(0, region) + model + code;
  }

  std::string output_;
};

TEST_F(CpuScan, AddedCpuIsNotifiedOnceAfterItsEventIsCleared) {
  RunWithFlags({1, 0, 2, 0}, "execute \\_SB.CPUS.CSCN");
  EXPECT_THAT(Steps(), ElementsAre("W CCMD 0", "R CFLG 2", "R CDAT 2", "W CFLG 2", "N C002 1",
                                   "W CCMD 0", "R CFLG 1"));
  EXPECT_THAT(Notifications(), ElementsAre("C002 0x01"));
}

TEST_F(CpuScan, RemovalAsksForAnEject) {
  RunWithFlags({1, 5}, "execute \\_SB.CPUS.CSCN");
  EXPECT_THAT(Steps(), ElementsAre("W CCMD 0", "R CFLG 5", "R CDAT 1", "W CFLG 4", "N C001 3",
                                   "W CCMD 0", "R CFLG 1"));
  EXPECT_THAT(Notifications(), ElementsAre("C001 0x03"));
}

TEST_F(CpuScan, CpuWithBothEventsIsAddedFirst) {
  RunWithFlags({1, 6}, "execute \\_SB.CPUS.CSCN");
  EXPECT_THAT(Steps(),
              ElementsAre("W CCMD 0", "R CFLG 6", "R CDAT 1", "W CFLG 2", "N C001 1", "W CCMD 0",
                          "R CFLG 5", "R CDAT 1", "W CFLG 4", "N C001 3", "W CCMD 0", "R CFLG 1"));
}

TEST_F(CpuScan, CostGrowsWithPendingEventsOnly) {
  std::vector<std::uint8_t> flags(255, 0);
  flags[0] = 1;
  flags[1] = 2;
  flags[128] = 2;
  flags[254] = 5;
  RunWithFlags(flags, "execute \\_SB.GED._EVT 16");
  EXPECT_THAT(Notifications(), UnorderedElementsAre("C001 0x01", "C080 0x01", "C0FE 0x03"));
  EXPECT_EQ(Steps().size(), 3 * (4 + 1) + 2);  // four accesses and the notification each, and two
}

TEST_F(CpuScan, EveryCpuIsNotifiedByItsOwnName) {
  RunWithFlags(std::vector<std::uint8_t>(255, 2), "execute \\_SB.CPUS.CSCN");
  std::vector<std::string> expected;
  expected.reserve(255);
  for (int uid = 0; uid < 255; ++uid) {
    expected.push_back(fmt::format("C{:03X} 0x01", uid));
  }
  EXPECT_THAT(Notifications(), testing::UnorderedElementsAreArray(expected));
}

TEST_F(CpuScan, MachineWithOneCpuScansToo) {
  RunWithFlags({1}, "execute \\_SB.CPUS.CSCN");
  EXPECT_THAT(Steps(), ElementsAre("W CCMD 0", "R CFLG 1"));
}

TEST_F(CpuScan, CpuIsPresentFromTheScanUntilItsEject) {
  RunWithFlags({1, 2},
               "execute \\_SB.CPUS.C001._STA;execute \\_SB.CPUS.CSCN;"
               "execute \\_SB.CPUS.C001._STA;execute \\_SB.CPUS.C001._EJ0 1;"
               "execute \\_SB.CPUS.C001._STA");
  EXPECT_THAT(Results(), ElementsAre("0", "F", "0"));
}

TEST_F(CpuScan, OstBetweenScansDoesNotDisturbTheSelection) {
  RunWithFlags({1, 0, 2}, "execute \\_SB.CPUS.C001._OST 1 0 (00);execute \\_SB.CPUS.CSCN");
  EXPECT_THAT(Notifications(), ElementsAre("C002 0x01"));
}

}  // namespace
}  // namespace tidevm::firmware
