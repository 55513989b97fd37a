// A start that cannot be: one line that names the value, the limit and the remedy, the right exit
// status, and nothing left behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "guest-tests/harness/guest_vm.h"
#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class StartError : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string directory = fs::temp_directory_path() / "tidevm-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    if (AsUserWanted()) {
      TIDEVM_ASSERT_DONE(GiveToOrdinaryUser(directory));
    }
    TIDEVM_ASSERT_OK(files, FilesFromEnvironment());
    files_ = files;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Path(const char* name) const { return directory_ / name; }

  /// Runs tidevm to its end and expects one line of error.
  std::string Run(std::vector<std::string> arguments, int expected_status,
                  const std::vector<int>& passed = {}) const {
    arguments.insert(arguments.begin(), files_.tidevm);
    if (AsUserWanted()) {
      arguments = AsOrdinaryUser(std::move(arguments));
    }
    auto process = ChildProcess::Start(arguments, {.passed = passed});
    EXPECT_TRUE(process.has_value());
    const auto status = process->WaitForExit(Clock::now() + kPatience);
    EXPECT_EQ(status, std::optional(expected_status)) << process->Transcript();
    std::string errors;
    int error_lines = 0;
    for (const std::string& line : process->errors()) {
      if (line.find("error: ") != std::string::npos) {
        errors = line;
        ++error_lines;
      }
    }
    EXPECT_EQ(error_lines, 1) << process->Transcript();
    return errors;
  }

  std::string RunWithKernel(std::vector<std::string> arguments, int expected_status,
                            const std::vector<int>& passed = {}) const {
    arguments.insert(arguments.begin(), {"--kernel", files_.kernel, "--serial", "null"});
    return Run(std::move(arguments), expected_status, passed);
  }

  fs::path directory_;
  Files files_;
};

TEST_F(StartError, BootAboveMax) {
  EXPECT_THAT(RunWithKernel({"--cpus", "boot=2,max=1"}, 2),
              AllOf(HasSubstr("boot=2,max=1"), HasSubstr("raise max")));
}

TEST_F(StartError, BootZero) {
  EXPECT_THAT(RunWithKernel({"--cpus", "boot=0"}, 2),
              AllOf(HasSubstr("boot=0"), HasSubstr("1 or more")));
}

TEST_F(StartError, MoreVcpusThanKvmTakes) {
  EXPECT_THAT(
      RunWithKernel({"--cpus", "max=100000"}, 1),
      AllOf(HasSubstr("max=100000"), HasSubstr("KVM_CAP_MAX_VCPUS"), HasSubstr("use max=")));
}

TEST_F(StartError, TopologyThatDoesNotAddUp) {
  EXPECT_THAT(RunWithKernel({"--cpus", "boot=1,max=6,sockets=4"}, 2),
              AllOf(HasSubstr("sockets=4"), HasSubstr("max=6")));
}

TEST_F(StartError, MissingKernel) {
  EXPECT_THAT(Run({"--kernel", Path("none")}, 1),
              AllOf(HasSubstr(Path("none")), HasSubstr("No such file")));
}

TEST_F(StartError, TruncatedKernel) {
  fs::copy_file(files_.kernel, Path("short"));
  fs::resize_file(Path("short"), 1 << 20);
  EXPECT_THAT(Run({"--kernel", Path("short")}, 1),
              AllOf(HasSubstr(Path("short")), HasSubstr("truncated"), HasSubstr("1,048,576")));
}

TEST_F(StartError, InitrdLargerThanMemory) {
  std::ofstream(Path("initrd")) << "x";
  fs::resize_file(Path("initrd"), 300 << 20);
  EXPECT_THAT(RunWithKernel({"--initrd", Path("initrd"), "--memory", "256M"}, 1),
              AllOf(HasSubstr(Path("initrd")), HasSubstr("--memory")));
}

TEST_F(StartError, LiveControlSocketIsLeftAlone) {
  const std::string path = Path("live.sock");
  const UniqueFd live(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(live.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(live.get(), 1), 0);
  EXPECT_THAT(RunWithKernel({"--control", path}, 1), HasSubstr(path));
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(StartError, DescriptorThatNobodyPassed) {
  EXPECT_THAT(Run({"--kernel", "fd:77"}, 1),
              AllOf(HasSubstr("--kernel fd:77"), HasSubstr("not open"), HasSubstr("77<FILE")));
  EXPECT_THAT(RunWithKernel({"--control", "fd:3"}, 1),
              AllOf(HasSubstr("--control fd:3"), HasSubstr("not open")));
}

TEST_F(StartError, DescriptorOfTheWrongKind) {
  const UniqueFd folder(::open("/", O_RDONLY | O_CLOEXEC));
  const UniqueFd bound(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(Run({"--kernel", "fd:3"}, 2, {folder.get()}),
              AllOf(HasSubstr("fd:3"), HasSubstr("not a regular file")));
  EXPECT_THAT(RunWithKernel({"--control", "fd:3"}, 2, {bound.get()}),
              HasSubstr("descriptor 3 is not a listening unix stream socket"));
  EXPECT_THAT(Run({"--kernel", files_.kernel, "--serial", "fd:3"}, 2, {nothing.get()}),
              AllOf(HasSubstr("--serial fd:3"), HasSubstr("not open for writing")));
}

TEST_F(StartError, DescriptorForTwoOptions) {
  EXPECT_THAT(Run({"--kernel", "fd:3", "--initrd", "fd:3"}, 2),
              AllOf(HasSubstr("--initrd fd:3"), HasSubstr("that of --kernel")));
}

TEST_F(StartError, NoSocketFromSystemd) {
  EXPECT_THAT(RunWithKernel({"--control", "systemd"}, 1),
              AllOf(HasSubstr("LISTEN_FDS"), HasSubstr("tidevm@.socket")));
}

TEST_F(StartError, NoPermissionOnTheKvmDevice) {
  // As an ordinary user this is a file that nobody may open; root needs a file that is no KVM.
  std::ofstream(Path("kvm")) << "";
  ::chmod(Path("kvm").c_str(), 0);
  const std::string error = RunWithKernel({"--kvm", Path("kvm")}, 1);
  EXPECT_THAT(error, HasSubstr(Path("kvm")));
  if (::geteuid() != 0 || AsUserWanted()) {
    EXPECT_THAT(error, AllOf(HasSubstr("no permission"), HasSubstr("group kvm")));
  }
}

TEST_F(StartError, NoKvmDevice) {
  EXPECT_THAT(RunWithKernel({"--kvm", Path("none")}, 1),
              AllOf(HasSubstr(Path("none")), HasSubstr("no KVM on this machine")));
}

TEST_F(StartError, NothingIsLeftBehind) {
  const std::string socket = Path("control.sock");
  Run({"--kernel", Path("none"), "--control", socket}, 1);
  EXPECT_FALSE(fs::exists(socket));
}

}  // namespace
}  // namespace tidevm::guest_tests
