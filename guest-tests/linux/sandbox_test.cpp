// tidevm confined (docs/security.md), with a guest, through all that a machine goes through.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

namespace fs = std::filesystem;

using Status = std::map<std::string, std::string>;

/// /proc/PID/status
Status ReadStatus(const fs::path& path) {
  Status status;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t colon = line.find(":\t"); colon != std::string::npos) {
      status[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  return status;
}

class Sandbox : public GuestTest {
 protected:
  std::vector<Status> Threads() {
    std::vector<Status> threads;
    for (const auto& task :
         fs::directory_iterator(fmt::format("/proc/{}/task", vm_->process().pid()))) {
      threads.push_back(ReadStatus(task.path() / "status"));
    }
    return threads;
  }

  void ExpectEveryThreadConfined(std::size_t threads) {
    constexpr std::string_view kNone = "0000000000000000";
    std::size_t ours = 0;
    for (const Status& status : Threads()) {
      const std::string& name = status.at("Name");
      // From Linux 6.13 on a thread of KVM's own is among them, which never leaves the kernel.
      const bool of_kvm = name.starts_with("kvm-");
      ours += of_kvm ? 0 : 1;
      EXPECT_EQ(status.at("NoNewPrivs"), "1") << name;
      for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
        EXPECT_EQ(status.at(set), kNone) << name << " " << set;
      }
      EXPECT_EQ(status.at("Seccomp"), "2") << name;
      // A vCPU's thread has its own filter on top of the machine thread's.
      EXPECT_EQ(status.at("Seccomp_filters"), name == "tidevm" ? "1" : "2") << name;
    }
    EXPECT_EQ(ours, threads);
  }

  /// With everything passed, nothing is opened: a reset reads kernel and initrd again all the same.
  void GoThroughALife(const std::string& control, std::vector<std::string> wrapper) {
    ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2",
                                          .more_arguments = {"--seccomp", "on"},
                                          .wrapper = std::move(wrapper),
                                          .as_user = true,
                                          .passed_control = control}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
    TIDEVM_ASSERT_DONE(vm_->Tell("reboot"));
    TIDEVM_ASSERT_DONE(vm_->WaitReady());
    ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1}));
    PowerOffAndExpectSuccess();
    EXPECT_TRUE(fs::exists(vm_->control_path())) << "it is not tidevm's to remove";
  }
};

TEST_F(Sandbox, AnOrdinaryUserGoesThroughTheWholeLife) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait(
      {.cpus = "boot=1,max=4", .more_arguments = {"--seccomp", "on"}, .as_user = true}));
  for (const Status& status : Threads()) {
    EXPECT_NE(status.at("Uid").substr(0, 2), "0\t");
  }
  ASSERT_NO_FATAL_FAILURE(ExpectEveryThreadConfined(2));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
  ASSERT_NO_FATAL_FAILURE(ExpectEveryThreadConfined(5));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  TIDEVM_ASSERT_DONE(vm_->Execute("set-vcpu-affinity", {{"cpu", 3}, {"host-cpus", "0"}}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0,3"}}, {0, 3}));
  for (const char* query : {"query-vcpus", "query-metrics", "query-cpus-fast", "query-status",
                            "query-hotpluggable-cpus", "query-acpi-ospm-status"}) {
    TIDEVM_ASSERT_DONE(vm_->Execute(query));
  }
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_DONE(vm_->Tell("reboot"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 3}));
  TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 3}}, {0, 1, 3}));
  ASSERT_NO_FATAL_FAILURE(ExpectEveryThreadConfined(4));
  PowerOffAndExpectSuccess();
  EXPECT_FALSE(fs::exists(vm_->control_path()));
}

TEST_F(Sandbox, WhoStartsItAsRootHasNoRightsLeft) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait(
      {.cpus = "boot=2,max=2", .more_arguments = {"--seccomp", "on"}, .as_user = false}));
  ASSERT_NO_FATAL_FAILURE(ExpectEveryThreadConfined(3));
  if (::geteuid() == 0) {  // nobody else may make the bounding set smaller
    for (const Status& status : Threads()) {
      EXPECT_EQ(status.at("CapBnd"), "0000000000000000");
    }
  }
  TIDEVM_ASSERT_DONE(vm_->Execute("quit"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
}

TEST_F(Sandbox, WithoutAFilterRightsAreDroppedAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(
      StartAndWait({.cpus = "boot=1,max=1", .more_arguments = {"--seccomp", "off"}}));
  for (const Status& status : Threads()) {
    EXPECT_EQ(status.at("NoNewPrivs"), "1");
    EXPECT_EQ(status.at("CapEff"), "0000000000000000");
    EXPECT_EQ(status.at("Seccomp"), "0");
  }
}

TEST_F(Sandbox, DescriptorsInsteadOfPaths) { GoThroughALife("fd:3", {}); }

TEST_F(Sandbox, SocketAsSystemdPassesIt) {
  GoThroughALife("systemd", {"/bin/sh", "-c", R"(LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@")"});
}

}  // namespace
}  // namespace tidevm::guest_tests
