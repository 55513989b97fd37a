// Preloaded into tidevm (LD_PRELOAD), this makes calls to the kernel fail as a test's rules say.
// The program itself is the one that users run. Without a table every call passes.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "guest-tests/faults/fault_table.h"

namespace tidevm::guest_tests {
namespace {

/// What mmap's system call gave; -1 becomes MAP_FAILED.
void* AddressOf(long at) {
  return reinterpret_cast<void*>(at);  // NOLINT(performance-no-int-to-ptr)
}

/// What is known of a descriptor that KVM_CREATE_VCPU gave. Written before its vCPU has a thread.
struct VcpuFile {
  bool is_vcpu = false;
  std::int64_t apic_id = 0;
  kvm_run* page = nullptr;
};
std::array<VcpuFile, 4096> vcpu_files;

VcpuFile* FindVcpuFile(int fd) {
  const bool known = fd >= 0 && static_cast<std::size_t>(fd) < vcpu_files.size() &&
                     vcpu_files[static_cast<std::size_t>(fd)].is_vcpu;
  return known ? &vcpu_files[static_cast<std::size_t>(fd)] : nullptr;
}

FaultTable* OpenTable() {
  const char* const path = std::getenv(kFaultTableVariable);
  if (path == nullptr) {
    return nullptr;
  }
  const auto fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
  if (fd < 0) {
    std::abort();  // a test that would inject nothing must not look like one that passed
  }
  const long at =
      ::syscall(SYS_mmap, nullptr, sizeof(FaultTable), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
  ::close(fd);
  return at == -1 ? nullptr : static_cast<FaultTable*>(AddressOf(at));
}

/// The rule that wants this very call to fail, or null.
const Fault* Hit(FaultCall call, std::uint64_t request, std::int64_t subject) {
  static FaultTable* const table = OpenTable();
  if (table == nullptr) {
    return nullptr;
  }
  for (FaultRule& rule : table->rules) {
    if (!rule.armed.load(std::memory_order_acquire)) {
      continue;
    }
    const Fault& fault = rule.fault;
    const bool matches =
        fault.call == call && (fault.subject == kAnySubject || fault.subject == subject) &&
        (call == FaultCall::kMmap ? fault.request <= request : fault.request == request);
    if (!matches) {
      continue;
    }
    const std::uint32_t before = rule.seen.fetch_add(1);
    if (before >= fault.skip && before < fault.skip + fault.times) {
      rule.hits.fetch_add(1);
      return &fault;
    }
  }
  return nullptr;
}

/// The calls that give a descriptor, and need no more than a kind.
bool Fails(FaultCall call) {
  const Fault* const fault = Hit(call, 0, 0);
  if (fault != nullptr) {
    errno = fault->error;
  }
  return fault != nullptr;
}

/// What the kernel would have left in the run page.
void Exit(kvm_run& page, std::uint32_t reason) {
  page.exit_reason = reason;
  if (reason == KVM_EXIT_INTERNAL_ERROR) {
    page.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    page.internal.ndata = 0;
  } else if (reason == KVM_EXIT_FAIL_ENTRY) {
    page.fail_entry.hardware_entry_failure_reason = 0x80000021;  // VMX: invalid guest state
    page.fail_entry.cpu = 0;
  }
}

std::int64_t SubjectOf(const VcpuFile* vcpu, unsigned long request, void* argument) {
  if (request == KVM_CREATE_VCPU) {
    return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(argument));
  }
  if (request == KVM_IRQ_LINE) {
    return static_cast<const kvm_irq_level*>(argument)->irq;
  }
  return vcpu != nullptr ? vcpu->apic_id : kAnySubject;
}

int Ioctl(int fd, unsigned long request, void* argument) {
  VcpuFile* const vcpu = FindVcpuFile(fd);
  const std::int64_t subject = SubjectOf(vcpu, request, argument);
  if (const Fault* const fault = Hit(FaultCall::kIoctl, request, subject)) {
    if (request == KVM_RUN && fault->error == 0 && vcpu != nullptr && vcpu->page != nullptr) {
      Exit(*vcpu->page, fault->exit_reason);
      return 0;
    }
    errno = fault->error;
    return -1;
  }
  const auto result = static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
  if (request == KVM_CREATE_VCPU && result >= 0 &&
      static_cast<std::size_t>(result) < vcpu_files.size()) {
    vcpu_files[static_cast<std::size_t>(result)] = {
        .is_vcpu = true, .apic_id = subject, .page = nullptr};
  }
  return result;
}

void* Mmap(void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  VcpuFile* const vcpu = FindVcpuFile(fd);
  if (vcpu != nullptr || fd < 0) {
    const std::int64_t subject = vcpu != nullptr ? vcpu->apic_id : kAnySubject;
    if (const Fault* const fault = Hit(FaultCall::kMmap, length, subject)) {
      errno = fault->error;
      return MAP_FAILED;
    }
  }
  const long at = ::syscall(SYS_mmap, address, length, protection, flags, fd, offset);
  if (vcpu != nullptr && at != -1) {
    vcpu->page = static_cast<kvm_run*>(AddressOf(at));
  }
  return AddressOf(at);
}

}  // namespace
}  // namespace tidevm::guest_tests

using tidevm::guest_tests::Fails;
using tidevm::guest_tests::FaultCall;

// NOLINTBEGIN(readability-identifier-naming): the C library's names
extern "C" {

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return tidevm::guest_tests::Ioctl(fd, request, argument);
}

void* mmap(void* address, std::size_t length, int protection, int flags, int fd,
           off_t offset) noexcept {
  return tidevm::guest_tests::Mmap(address, length, protection, flags, fd, offset);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  using Function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "pthread_create"));
  return Fails(FaultCall::kThreadCreation) ? errno : real(thread, attributes, start, argument);
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return Fails(FaultCall::kAccept)
             ? -1
             : static_cast<int>(::syscall(SYS_accept4, fd, address, length, flags));
}

int eventfd(unsigned int value, int flags) noexcept {
  return Fails(FaultCall::kEventFd) ? -1 : static_cast<int>(::syscall(SYS_eventfd2, value, flags));
}

int timerfd_create(int clock, int flags) noexcept {
  return Fails(FaultCall::kTimerFd) ? -1
                                    : static_cast<int>(::syscall(SYS_timerfd_create, clock, flags));
}

int signalfd(int fd, const sigset_t* set, int flags) noexcept {
  constexpr std::size_t kKernelSetBytes = 8;
  return Fails(FaultCall::kSignalFd)
             ? -1
             : static_cast<int>(::syscall(SYS_signalfd4, fd, set, kKernelSetBytes, flags));
}

int epoll_create1(int flags) noexcept {
  return Fails(FaultCall::kEpollCreation) ? -1
                                          : static_cast<int>(::syscall(SYS_epoll_create1, flags));
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
