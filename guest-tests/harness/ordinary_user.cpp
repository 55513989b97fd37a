#include "guest-tests/harness/ordinary_user.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace tidevm::guest_tests {
namespace {

constexpr uid_t kNobody = 65534;  // and nogroup

gid_t KvmGroup() {
  struct stat status {};
  return ::stat("/dev/kvm", &status) == 0 ? status.st_gid : kNobody;
}

}  // namespace

bool AsUserWanted() {
  const char* const value = std::getenv("TIDEVM_AS_USER");
  return value != nullptr && std::string_view(value) == "1";
}

std::vector<std::string> AsOrdinaryUser(std::vector<std::string> command) {
  if (::geteuid() == 0) {
    command.insert(command.begin(), {"/usr/bin/setpriv", fmt::format("--reuid={}", kNobody),
                                     fmt::format("--regid={}", kNobody),
                                     fmt::format("--groups={}", KvmGroup()), "--"});
  }
  return command;
}

Result<void> GiveToOrdinaryUser(const std::string& path) {
  if (::geteuid() == 0 && ::chown(path.c_str(), kNobody, kNobody) != 0) {
    return FailErrno(errno, "giving {} to an ordinary user", path);
  }
  return {};
}

}  // namespace tidevm::guest_tests
