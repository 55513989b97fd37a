// Outputs that take nothing any more, and clients that vanish: the VM goes on, and says so where it
// still can.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "guest-tests/faults/fault_test_util.h"

namespace tidevm::guest_tests {
namespace {

class OutputFault : public FaultTest {
 protected:
  /// Requests go on to work; without a console the control socket's word is taken for it.
  void ExpectHotplugWorks() {
    for (const std::uint32_t count : {2U, 1U}) {
      TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"count", count}}));
      ASSERT_EQ(ended.size(), 1U);
      EXPECT_EQ(ended[0].outcome, "done") << ended[0].reason;
      EXPECT_EQ(vm_->HostThreads().ToString(), CpuSet::FirstN(count).ToString());
    }
  }

  void PrintWarning(const std::string& name, const std::string& text) {
    ExpectLog(text);
    EXPECT_EQ(CountInLog(text), 1);
    for (const std::string& line : vm_->process().errors()) {
      if (line.find(text) != std::string::npos) {
        PrintFault(name, line);
      }
    }
  }

  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    vm_->control_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  static void Send(const UniqueFd& fd, const std::string& text) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }

  static void ReadLine(const UniqueFd& fd) {
    for (char letter = ' '; letter != '\n';) {
      ASSERT_EQ(::recv(fd.get(), &letter, 1, 0), 1);
    }
  }

  /// A client that negotiates, sends `text`, and is gone without having read an answer to that.
  void SendAndVanish(const std::string& text) {
    const UniqueFd fd = Connect();
    ASSERT_NO_FATAL_FAILURE(ReadLine(fd));
    Send(fd, "{\"execute\":\"qmp_capabilities\"}");
    ASSERT_NO_FATAL_FAILURE(ReadLine(fd));
    Send(fd, text);
  }
};

TEST_F(OutputFault, TheLogsDiskIsFull) {
  ASSERT_NO_FATAL_FAILURE(
      StartAndWait({.cpus = "boot=1,max=2", .process = {.errors_path = "/dev/full"}}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  PrintFault("log: disk full", "(nothing: the log is where it would be told); the VM goes on");
  PowerOffAndExpectSuccess();
}

TEST_F(OutputFault, NobodyReadsTheLog) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2"}));
  vm_->process().CloseErrors();
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  PrintFault("log: its reader is gone (SIGPIPE)",
             "(nothing: the log is where it would be told); the VM goes on");
  PowerOffAndExpectSuccess();
}

TEST_F(OutputFault, TheSerialFilesDiskIsFull) {
  ASSERT_NO_FATAL_FAILURE(
      StartVm({.cpus = "boot=1,max=2", .more_arguments = {"--serial", "file:/dev/full"}}));
  ASSERT_NO_FATAL_FAILURE(ExpectHotplugWorks());
  PrintWarning("serial: disk full", "thrown away");
  TIDEVM_ASSERT_DONE(vm_->Execute("quit"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
}

TEST_F(OutputFault, NobodyReadsTheConsole) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=2"}));
  vm_->process().CloseOutput();
  TIDEVM_ASSERT_DONE(vm_->Tell("ping"));
  PrintWarning("serial: its reader is gone (SIGPIPE)", "thrown away");
  ASSERT_NO_FATAL_FAILURE(ExpectHotplugWorks());
  TIDEVM_ASSERT_DONE(vm_->Execute("system_powerdown"));
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
}

TEST_F(OutputFault, ClientsVanishInsideARequestAndBeforeTheAnswer) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=3"}));
  const std::size_t descriptors = vm_->open_descriptors();
  ASSERT_NO_FATAL_FAILURE(SendAndVanish("{\"execute\":\"set-vc"));
  ASSERT_NO_FATAL_FAILURE(SendAndVanish("{\"execute\":\"stop\"}"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("STOP"));
  ASSERT_NO_FATAL_FAILURE(SendAndVanish("{\"execute\":\"set-vcpus\",\"arguments\":{\"count\":2}}"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("VCPU_OPERATION"));
  ASSERT_NO_FATAL_FAILURE(SendAndVanish("{\"execute\":\"cont\"}"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("RESUME"));
  TIDEVM_ASSERT_DONE(vm_->WaitGuestOnline({0, 1}));
  PrintFault("client: gone before the answer", "its request is carried out: vCPUs 0-1 are online");
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 3}}, {0, 1, 2}));
  EXPECT_EQ(vm_->open_descriptors(), descriptors + 2) << "the two vCPUs'";
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
