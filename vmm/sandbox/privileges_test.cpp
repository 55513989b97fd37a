#include "vmm/sandbox/privileges.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>

namespace tidevm::sandbox {
namespace {

std::map<std::string, std::string> OwnStatus() {
  std::map<std::string, std::string> status;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon != std::string::npos) {
      status[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  return status;
}

TEST(Privileges, AreGoneForGood) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!DropPrivileges()) {
      ::_exit(1);
    }
    const auto status = OwnStatus();
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
      if (status.at(set) != "0000000000000000") {
        ::_exit(2);
      }
    }
    // The bounding set is root's to make smaller.
    const bool bounded = ::geteuid() != 0 || status.at("CapBnd") == "0000000000000000";
    ::_exit(status.at("NoNewPrivs") == "1" && bounded ? 0 : 3);
  }
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

// An outer filter may forbid capset to who has nothing to give up, so it must not be needed.
TEST(Privileges, CanBeDroppedTwice) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(DropPrivileges() && DropPrivileges() ? 0 : 1);
  }
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace tidevm::sandbox
