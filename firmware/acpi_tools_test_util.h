// Runs iasl and acpiexec in a folder of its own for each test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/tool_folder_test_util.h"

namespace tidevm::firmware {

class AcpiToolsTest : public testing::Test {
 protected:
  using Output = ToolFolder::Output;

  void WriteFile(const std::string& name, std::string_view content) const {
    folder_.Write(name, content);
  }
  std::string ReadFile(const std::string& name) const { return folder_.Read(name); }

  Output Iasl(const std::string& arguments) const;
  /// What acpiexec prints from the first evaluation on, for commands separated by ';'. Fails the
  /// test on an exit code, on AE_ in the output (a missing method still exits 0), on a time-out.
  std::string AcpiExec(const std::string& options, const std::string& commands,
                       const std::string& table) const;

  /// DSDT.aml and the other tables of a machine with `max` CPUs, one of them there at boot.
  void WriteTables(std::uint32_t max) const;

 private:
  ToolFolder folder_;
};

/// The I/O port accesses in the output of acpiexec -x 0x1800, as "W4 0cd8 1" or "R1 0cdc 0":
/// direction and width, port, value, in hexadecimal.
std::vector<std::string> PortAccesses(const std::string& trace);

/// With every match of `pattern` replaced, `$1` and `$&` in `replacement` as ECMAScript has them.
std::string Replace(const std::string& text, const std::string& pattern,
                    const std::string& replacement);

/// The groups of every match of `pattern`, joined by blanks.
std::vector<std::string> Matches(const std::string& text, const std::string& pattern);

}  // namespace tidevm::firmware
