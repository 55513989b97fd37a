// Starts that fail in KVM or in the host: one line of error that says what and how much, the right
// exit status, and nothing left behind.
#include <cerrno>
#include <string>
#include <vector>

#include "guest-tests/faults/fault_test_util.h"

namespace tidevm::guest_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct StartCase {
  std::string name;
  Fault fault;
  std::vector<std::string> texts;  // of the one line of error
};

Fault OnIoctl(std::uint64_t request, std::int64_t subject, int error) {
  return {.call = FaultCall::kIoctl, .request = request, .subject = subject, .error = error};
}

Fault OnCall(FaultCall call, std::uint32_t skip, int error) {
  return {.call = call, .skip = skip, .error = error};
}

Fault BootCpuExits(std::uint32_t reason) {
  return {.call = FaultCall::kIoctl, .request = KVM_RUN, .subject = 0, .exit_reason = reason};
}

constexpr std::uint64_t kGuestRam = 64 << 20;

const StartCase kCases[] = {
    {"KVM_CREATE_VM ENOMEM", OnIoctl(KVM_CREATE_VM, kAnySubject, ENOMEM), {"KVM_CREATE_VM"}},
    {"KVM_CREATE_IRQCHIP ENOMEM",
     OnIoctl(KVM_CREATE_IRQCHIP, kAnySubject, ENOMEM),
     {"KVM_CREATE_IRQCHIP"}},
    {"mmap of guest RAM ENOMEM",
     {.call = FaultCall::kMmap, .request = kGuestRam, .error = ENOMEM},
     {"guest memory", "64 MiB", "give a smaller --memory"}},
    {"KVM_SET_USER_MEMORY_REGION ENOMEM",
     OnIoctl(KVM_SET_USER_MEMORY_REGION, kAnySubject, ENOMEM),
     {"KVM_SET_USER_MEMORY_REGION slot 0", "67108864 bytes"}},
    {"KVM_SET_USER_MEMORY_REGION EINVAL",
     OnIoctl(KVM_SET_USER_MEMORY_REGION, kAnySubject, EINVAL),
     {"KVM_SET_USER_MEMORY_REGION slot 0"}},
    {"KVM_CREATE_VCPU ENOMEM", OnIoctl(KVM_CREATE_VCPU, 2, ENOMEM), {"vCPU 2", "memory.max"}},
    {"KVM_CREATE_VCPU EINVAL", OnIoctl(KVM_CREATE_VCPU, 2, EINVAL), {"vCPU 2", "vCPUs a VM"}},
    {"KVM_CREATE_VCPU EEXIST", OnIoctl(KVM_CREATE_VCPU, 2, EEXIST), {"vCPU 2", "File exists"}},
    {"mmap of a run page ENOMEM",
     {.call = FaultCall::kMmap, .subject = 2, .error = ENOMEM},
     {"vCPU 2", "run page"}},
    {"KVM_SET_CPUID2 EINVAL", OnIoctl(KVM_SET_CPUID2, 2, EINVAL), {"vCPU 2", "KVM_SET_CPUID2"}},
    {"KVM_GET_MSRS EIO", OnIoctl(KVM_GET_MSRS, 2, EIO), {"vCPU 2", "KVM_GET_MSRS"}},
    {"KVM_SET_LAPIC EINVAL", OnIoctl(KVM_SET_LAPIC, 2, EINVAL), {"vCPU 2", "KVM_SET_LAPIC"}},
    {"KVM_SET_SREGS of the first vCPU EINVAL",
     OnIoctl(KVM_SET_SREGS, 0, EINVAL),
     {"KVM_SET_SREGS"}},
    {"epoll_create1 EMFILE", OnCall(FaultCall::kEpollCreation, 1, EMFILE), {"ulimit -n"}},
    {"epoll_create1 EMFILE at the serial file",
     OnCall(FaultCall::kEpollCreation, 2, EMFILE),
     {"serial port", "ulimit -n"}},
    {"timerfd_create EMFILE", OnCall(FaultCall::kTimerFd, 0, EMFILE), {"ulimit -n"}},
    {"signalfd EMFILE", OnCall(FaultCall::kSignalFd, 0, EMFILE), {"signalfd", "ulimit -n"}},
    {"eventfd EMFILE, the first", OnCall(FaultCall::kEventFd, 0, EMFILE), {"eventfd", "ulimit"}},
    {"eventfd EMFILE, the second", OnCall(FaultCall::kEventFd, 1, EMFILE), {"eventfd", "ulimit"}},
    {"timerfd_create EMFILE of the serial port",
     OnCall(FaultCall::kTimerFd, 1, EMFILE),
     {"serial port", "ulimit -n"}},
    {"pthread_create EAGAIN, the second",
     OnCall(FaultCall::kThreadCreation, 1, EAGAIN),
     {"thread of vCPU 2", "ulimit -u"}},
    {"pthread_create EAGAIN, that of vCPU 0",
     OnCall(FaultCall::kThreadCreation, 2, EAGAIN),
     {"thread of vCPU 0", "ulimit -u"}},
    {"KVM_EXIT_INTERNAL_ERROR of vCPU 0",
     BootCpuExits(KVM_EXIT_INTERNAL_ERROR),
     {"vCPU 0", "KVM_EXIT_INTERNAL_ERROR suberror 1", "--check-host"}},
    {"KVM_EXIT_FAIL_ENTRY of vCPU 0",
     BootCpuExits(KVM_EXIT_FAIL_ENTRY),
     {"vCPU 0", "KVM_EXIT_FAIL_ENTRY", "0x80000021", "--check-host"}},
    {"KVM_RUN EFAULT of vCPU 0", OnIoctl(KVM_RUN, 0, EFAULT), {"vCPU 0", "KVM_RUN: Bad address"}},
    {"an exit that nobody asked for",
     BootCpuExits(KVM_EXIT_HYPERCALL),
     {"vCPU 0", "exit reason 3", "--check-host"}},
};

class StartFault : public FaultTest {
 protected:
  /// Its one line of error.
  std::string Run(const std::vector<std::string>& command, const ChildSettings& settings) {
    auto process = ChildProcess::Start(command, settings);
    EXPECT_TRUE(process.has_value());
    EXPECT_EQ(process->WaitForExit(Clock::now() + kPatience), std::optional(1))
        << process->Transcript();
    std::vector<std::string> errors;
    for (const std::string& line : process->errors()) {
      if (line.find("error: ") != std::string::npos) {
        errors.push_back(line);
      }
    }
    EXPECT_EQ(errors.size(), 1U) << process->Transcript();
    return errors.empty() ? "" : errors.front();
  }
};

TEST_F(StartFault, EachIsOneLineOfErrorAndLeavesNothingBehind) {
  TIDEVM_ASSERT_OK(files, FilesFromEnvironment());
  const std::string socket = directory_ + "/control.sock";
  const std::vector<std::string> command = {files.tidevm,
                                            "--kernel",
                                            files.kernel,
                                            "--cpus",
                                            "boot=3,max=4",
                                            "--memory",
                                            "64M",
                                            "--control",
                                            socket,
                                            "--serial",
                                            "file:" + directory_ + "/console"};
  for (const StartCase& start : kCases) {
    SCOPED_TRACE(start.name);
    faults_->Arm(start.fault);
    const std::string error = Run(command, {.environment = faults_->environment()});
    EXPECT_EQ(faults_->Disarm(), 1U) << "the fault was not met";
    for (const std::string& text : start.texts) {
      EXPECT_THAT(error, HasSubstr(text));
    }
    EXPECT_FALSE(fs::exists(socket));
    PrintFault("start: " + start.name, error);
  }
}

TEST_F(StartFault, TextThatCannotBePrintedIsAnError) {
  TIDEVM_ASSERT_OK(files, FilesFromEnvironment());
  const std::string error = Run({files.tidevm, "--help"}, {.output_path = "/dev/full"});
  EXPECT_THAT(error, HasSubstr("No space left"));
  PrintFault("tidevm --help: disk full", error);
}

}  // namespace
}  // namespace tidevm::guest_tests
