// Adds and removals that fail in KVM or in the host: whoever asked is told, the guest goes on, and
// the same request works as soon as the cause is gone.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "guest-tests/faults/fault_test_util.h"

namespace tidevm::guest_tests {
namespace {

using ::testing::HasSubstr;

struct NamedFault {
  std::string name;
  Fault fault;
  std::string text;  // of the message
};

NamedFault FailingIoctl(std::string name, std::uint64_t request, int error) {
  Fault fault{.call = FaultCall::kIoctl, .request = request, .error = error};
  const std::string word = name.substr(0, name.find(' '));
  return {.name = std::move(name), .fault = fault, .text = word};
}

const Fault kNoThread{.call = FaultCall::kThreadCreation, .error = EAGAIN};

class AddFault : public FaultTest {
 protected:
  /// The clock ticks (10 ms) that the machine thread has used.
  long TicksUsed() {
    const pid_t pid = vm_->process().pid();
    std::ifstream file(fmt::format("/proc/{}/task/{}/stat", pid, pid));
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream rest(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int field = 3; field < 14; ++field) {
      rest >> word;
    }
    long user = 0;
    long system = 0;
    rest >> user >> system;
    return user + system;
  }

  /// Those below `end` stay possible.
  void LimitDescriptors(rlim_t end) {
    const rlimit limit{.rlim_cur = end, .rlim_max = 1024};
    ASSERT_EQ(::prlimit(vm_->process().pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  }

  rlim_t LowestFreeDescriptor() {
    rlim_t fd = 0;
    while (std::filesystem::is_symlink(fmt::format("/proc/{}/fd/{}", vm_->process().pid(), fd))) {
      ++fd;
    }
    return fd;
  }
};

TEST_F(AddFault, EveryStepOfMakingAVcpu) {
  const std::vector<NamedFault> faults = {
      FailingIoctl("KVM_CREATE_VCPU ENOMEM", KVM_CREATE_VCPU, ENOMEM),
      FailingIoctl("KVM_CREATE_VCPU EINVAL", KVM_CREATE_VCPU, EINVAL),
      FailingIoctl("KVM_CREATE_VCPU EEXIST", KVM_CREATE_VCPU, EEXIST),
      {.name = "mmap of the run page ENOMEM",
       .fault = {.call = FaultCall::kMmap, .error = ENOMEM},
       .text = "run page"},
      FailingIoctl("KVM_SET_CPUID2 EINVAL", KVM_SET_CPUID2, EINVAL),
      FailingIoctl("KVM_GET_SREGS EIO", KVM_GET_SREGS, EIO),
      FailingIoctl("KVM_GET_MSRS EIO", KVM_GET_MSRS, EIO),
      FailingIoctl("KVM_SET_LAPIC EINVAL", KVM_SET_LAPIC, EINVAL),
      {.name = "pthread_create EAGAIN", .fault = kNoThread, .text = "ulimit -u"},
  };
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=16"}));
  CpuId cpu = 0;
  for (const NamedFault& next : faults) {
    ++cpu;  // one that was never made
    Fault fault = next.fault;
    fault.subject = fault.call == FaultCall::kThreadCreation ? kAnySubject : cpu;
    faults_->Arm(fault);
    ASSERT_NO_FATAL_FAILURE(ExpectAddFails("add: " + next.name, cpu, next.text));
    ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", fmt::format("0,{}", cpu)}}, {0, cpu}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  }
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(AddFault, EveryStepOfMakingItNewAgain) {
  const std::vector<NamedFault> faults = {
      FailingIoctl("KVM_GET_MP_STATE EIO", KVM_GET_MP_STATE, EIO),
      FailingIoctl("KVM_SET_SREGS EINVAL", KVM_SET_SREGS, EINVAL),
      FailingIoctl("KVM_SET_REGS EIO", KVM_SET_REGS, EIO),
      FailingIoctl("KVM_SET_XCRS EINVAL", KVM_SET_XCRS, EINVAL),
      FailingIoctl("KVM_SET_XSAVE EINVAL", KVM_SET_XSAVE, EINVAL),
      FailingIoctl("KVM_SET_DEBUGREGS EINVAL", KVM_SET_DEBUGREGS, EINVAL),
      FailingIoctl("KVM_SET_LAPIC EINVAL", KVM_SET_LAPIC, EINVAL),
      FailingIoctl("KVM_SET_MSRS EIO", KVM_SET_MSRS, EIO),
      FailingIoctl("KVM_SET_VCPU_EVENTS EINVAL", KVM_SET_VCPU_EVENTS, EINVAL),
      FailingIoctl("KVM_SET_MP_STATE EINVAL", KVM_SET_MP_STATE, EINVAL),
      {.name = "pthread_create EAGAIN", .fault = kNoThread, .text = "ulimit -u"},
  };
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=2"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  const std::size_t descriptors = vm_->open_descriptors();
  for (const NamedFault& next : faults) {
    Fault fault = next.fault;
    fault.subject = fault.call == FaultCall::kThreadCreation ? kAnySubject : 1;
    faults_->Arm(fault);
    ASSERT_NO_FATAL_FAILURE(ExpectAddFails("re-add: " + next.name, 1, next.text));
    ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, {0, 1}));
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  }
  EXPECT_EQ(vm_->open_descriptors(), descriptors);
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(AddFault, AnInterruptThatDoesNotComeThrough) {
  constexpr std::int64_t kCpuHotplugGsi = 16;
  const Fault fault{
      .call = FaultCall::kIoctl, .request = KVM_IRQ_LINE, .subject = kCpuHotplugGsi, .error = EIO};
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=2,max=3"}));
  faults_->Arm(fault);
  ASSERT_NO_FATAL_FAILURE(ExpectAddFails("add: KVM_IRQ_LINE EIO", 2, "KVM_IRQ_LINE gsi 16"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("DEVICE_DELETED"));  // its thread has ended
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1}));
  faults_->Arm(fault);
  TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"cpus", "0"}}));
  EXPECT_EQ(faults_->Disarm(), 1U);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome, "failed");
  EXPECT_THAT(ended[0].reason, HasSubstr("KVM_IRQ_LINE gsi 16"));
  PrintFault("remove: KVM_IRQ_LINE EIO", ended[0].reason);
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 1}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"cpus", "0,2"}}, {0, 2}));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

// The limit itself, without the shim: no new vCPU, no new client; and no busy loop over the client
// that waits.
TEST_F(AddFault, NoDescriptorLeft) {
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=1,max=3"}));
  ASSERT_NO_FATAL_FAILURE(LimitDescriptors(LowestFreeDescriptor()));
  const auto refused = vm_->Execute("device_add", {{"driver", "host-x86_64-cpu"}, {"apic-id", 1}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("ulimit -n"));
  PrintFault("add: limit of descriptors", refused.error().message);

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  vm_->control_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
  ExpectLog("cannot accept a client");
  const long before = TicksUsed();
  constexpr std::chrono::seconds kWatched{4};
  EXPECT_FALSE(vm_->process().ReadUntil([] { return false; }, Clock::now() + kWatched));
  const long used = TicksUsed() - before;
  EXPECT_LT(used, 20) << "of 400 ticks";
  EXPECT_EQ(CountInLog("cannot accept a client"), 1);
  for (const std::string& line : vm_->process().errors()) {
    if (line.find("cannot accept") != std::string::npos) {
      PrintFault("accept: limit of descriptors",
                 fmt::format("{} [{} of 400 ticks used]", line, used));
    }
  }

  ASSERT_NO_FATAL_FAILURE(LimitDescriptors(1024));
  std::string greeting(6, ' ');
  ASSERT_EQ(::recv(waiting.get(), greeting.data(), greeting.size(), MSG_WAITALL), 6);
  EXPECT_EQ(greeting, "{\"QMP\"");
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 3}}, {0, 1, 2}));
  PowerOffAndExpectSuccess();
}

// A guest reset makes all vCPUs new. One that cannot be is left out; the guest starts without it.
TEST_F(AddFault, AResetLeavesOutWhatCannotBeBroughtBack) {
  ASSERT_NO_FATAL_FAILURE(StartWithFaults({.cpus = "boot=4,max=4"}));
  faults_->Arm({.call = FaultCall::kIoctl, .request = KVM_SET_LAPIC, .subject = 1, .error = EIO});
  faults_->Arm(kNoThread);  // that of vCPU 2, the next
  TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
  TIDEVM_ASSERT_DONE(vm_->WaitReady());
  EXPECT_EQ(faults_->Disarm(), 2U);
  ASSERT_NO_FATAL_FAILURE(ExpectEverywhere({0, 3}));
  EXPECT_EQ(CountInLog("the guest starts again without it"), 2);
  for (const std::string& line : vm_->process().errors()) {
    if (line.find("starts again without it") != std::string::npos) {
      PrintFault("reset", line);
    }
  }
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
