#include "firmware/acpi_tools_test_util.h"

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include "firmware/acpi_config.h"
#include "firmware/acpi_tables.h"
#include "tidevm/guest_layout.h"
#include "tidevm/ids.h"

namespace tidevm::firmware {

AcpiToolsTest::Output AcpiToolsTest::Iasl(const std::string& arguments) const {
  return folder_.Run(TIDEVM_IASL " " + arguments);
}

std::string AcpiToolsTest::AcpiExec(const std::string& options, const std::string& commands,
                                    const std::string& table) const {
  const Output output = folder_.Run(
      fmt::format("timeout 30 {} {} -b '{}' {}", TIDEVM_ACPIEXEC, options, commands, table));
  const std::size_t start = output.text.find("Evaluating \\");
  EXPECT_EQ(output.exit_code, 0) << output.text;
  EXPECT_NE(start, std::string::npos) << output.text;
  EXPECT_EQ(output.text.find("AE_"), std::string::npos) << output.text;
  return start == std::string::npos ? "" : output.text.substr(start);
}

void AcpiToolsTest::WriteTables(std::uint32_t max) const {
  AcpiConfig config{.cpus = {}, .pvpanic = true};
  for (CpuId uid = 0; uid < max; ++uid) {
    config.cpus.push_back(CpuEntry{.uid = uid, .apic_id = uid, .enabled_at_boot = uid == 0});
  }
  const auto tables =
      BuildAcpiTables(config, layout::kAcpiStart, layout::kAcpiEnd - layout::kAcpiStart);
  ASSERT_TRUE(tables.has_value());
  for (const NamedTable& table : tables->tables) {
    folder_.Write(table.signature + ".aml", tables->Contents(table));
  }
}

std::vector<std::string> PortAccesses(const std::string& trace) {
  // Lines of the field code: which way, how wide and where, then the value.
  static const std::regex kAccess(
      R"(\[(R|W)[A-Z]+\] Region \[SystemIO:1\], Width (\d),[^\n]* at 0{12}([0-9A-F]{4})\n)"
      R"((?:[^\n]*\n)*?[^\n]*Value (?:Read|Written) 0*([0-9A-F]+),)");
  std::vector<std::string> accesses;
  for (std::sregex_iterator it(trace.begin(), trace.end(), kAccess), end; it != end; ++it) {
    accesses.push_back(
        fmt::format("{}{} {} {}", (*it)[1].str(), (*it)[2].str(), (*it)[3].str(), (*it)[4].str()));
  }
  return accesses;
}

std::string Replace(const std::string& text, const std::string& pattern,
                    const std::string& replacement) {
  return std::regex_replace(text, std::regex(pattern), replacement);
}

std::vector<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    std::string groups;
    for (std::size_t i = 1; i < it->size(); ++i) {
      groups += (i > 1 ? " " : "") + (*it)[i].str();
    }
    found.push_back(groups);
  }
  return found;
}

}  // namespace tidevm::firmware
