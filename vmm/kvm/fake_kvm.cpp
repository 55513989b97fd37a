#include "vmm/kvm/fake_kvm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstring>
#include <stdexcept>
#include <utility>

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl50-cpp,readability-identifier-naming): the
// linker's names, ioctl's type
extern "C" int __real_ioctl(int fd, unsigned long request, ...);
extern "C" int __wrap_ioctl(int fd, unsigned long request, ...);
// NOLINTEND(bugprone-reserved-identifier,cert-dcl50-cpp,readability-identifier-naming)

namespace tidevm::kvm {
namespace {

std::atomic<FakeKvm*> current{nullptr};

constexpr std::size_t kRunPageSize = 8192;
constexpr std::size_t kPortDataOffset = 4096;
constexpr std::chrono::seconds kLongEnough{20};
constexpr std::uint32_t kMsrs[] = {0x10, 0x3b, 0x174};  // TSC, TSC_ADJUST, SYSENTER_CS

int FailWith(int error) {
  errno = error;
  return -1;
}

/// In the kernel no signal is handled; whoever waits there looks for them.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  const sigset_t& before() const { return before_; }

  /// One waits that the thread would take.
  bool Pending() const {
    sigset_t pending;
    ::sigpending(&pending);
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
      if (sigismember(&pending, signal) == 1 && sigismember(&before_, signal) == 0) {
        return true;
      }
    }
    return false;
  }

 private:
  sigset_t before_{};
};

int GetSupportedCpuid(kvm_cpuid2& table) {
  kvm_cpuid_entry2 leaves[2] = {};
  leaves[0].eax = 1;  // the highest leaf
  leaves[1].function = 1;
  std::memcpy(table.entries, leaves, sizeof leaves);
  table.nent = static_cast<std::uint32_t>(std::size(leaves));
  return 0;
}

int GetMsrIndexList(kvm_msr_list& list) {
  const std::uint32_t room =
      std::exchange(list.nmsrs, static_cast<std::uint32_t>(std::size(kMsrs)));
  if (room < std::size(kMsrs)) {
    return FailWith(E2BIG);
  }
  std::memcpy(list.indices, kMsrs, sizeof kMsrs);
  return 0;
}

int CheckExtension(unsigned long capability) {
  switch (capability) {
    case KVM_CAP_NR_VCPUS:
      return 4;
    case KVM_CAP_MAX_VCPUS:
      return 1024;
    case KVM_CAP_MAX_VCPU_ID:
      return 4096;
    default:
      return 1;
  }
}

}  // namespace

struct FakeKvm::FakeVcpu {
  FakeVcpu() = default;
  FakeVcpu(const FakeVcpu&) = delete;
  FakeVcpu& operator=(const FakeVcpu&) = delete;
  ~FakeVcpu() {
    if (run != nullptr) {
      ::munmap(run, kRunPageSize);
    }
  }

  std::byte* port_data() const { return reinterpret_cast<std::byte*>(run) + kPortDataOffset; }

  ApicId id = 0;
  int fd = -1;  // the program's; its number is all that is needed
  UniqueFd wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  kvm_run* run = nullptr;
  std::shared_ptr<FakeGuest> guest;
  bool reading = false;  // the guest waits for what its last access gives
};

FakeKvm::FakeKvm() {
  if (current.exchange(this) != nullptr) {
    throw std::logic_error("one FakeKvm at a time");
  }
}

FakeKvm::~FakeKvm() { current.store(nullptr); }

void FakeKvm::SetGuest(ApicId id, std::shared_ptr<FakeGuest> guest) {
  const std::lock_guard lock(mutex_);
  guests_[id] = std::move(guest);
}

void FakeKvm::HoldBeforeRun(ApicId id) {
  const std::lock_guard lock(mutex_);
  to_be_held_ = id;
}

bool FakeKvm::WaitUntilHeld() {
  std::unique_lock lock(mutex_);
  return hold_changed_.wait_for(lock, kLongEnough, [this] { return held_; });
}

void FakeKvm::Release() {
  const std::lock_guard lock(mutex_);
  to_be_held_ = std::nullopt;
  held_ = false;
  hold_changed_.notify_all();
}

std::set<std::uint32_t> FakeKvm::written_msrs() const {
  const std::lock_guard lock(mutex_);
  return written_msrs_;
}

int FakeKvm::Ioctl(int fd, unsigned long request, void* argument) {
  switch (request) {
    case KVM_GET_API_VERSION:
      return KVM_API_VERSION;
    case KVM_CHECK_EXTENSION:
      return CheckExtension(reinterpret_cast<unsigned long>(argument));
    case KVM_GET_VCPU_MMAP_SIZE:
      return kRunPageSize;
    case KVM_GET_SUPPORTED_CPUID:
      return GetSupportedCpuid(*static_cast<kvm_cpuid2*>(argument));
    case KVM_GET_MSR_INDEX_LIST:
      return GetMsrIndexList(*static_cast<kvm_msr_list*>(argument));
    case KVM_CREATE_VM:
      return ::memfd_create("fake-vm", MFD_CLOEXEC);
    case KVM_CREATE_VCPU:
      return CreateVcpu(static_cast<ApicId>(reinterpret_cast<unsigned long>(argument)));
    case KVM_IRQ_LINE:
      SetLine(*static_cast<const kvm_irq_level*>(argument));
      return 0;
    case KVM_SET_MSRS:
      NoteMsrs(*static_cast<const kvm_msrs*>(argument));
      [[fallthrough]];
    case KVM_GET_MSRS:
      return static_cast<int>(static_cast<const kvm_msrs*>(argument)->nmsrs);
    case KVM_RUN: {
      FakeVcpu* const vcpu = Find(fd);
      return vcpu != nullptr ? Run(*vcpu) : FailWith(ENOTTY);
    }
    default:
      return 0;
  }
}

int FakeKvm::CreateVcpu(ApicId id) {
  const std::lock_guard lock(mutex_);
  if (vcpus_.contains(id)) {
    return FailWith(EEXIST);
  }
  auto vcpu = std::make_unique<FakeVcpu>();
  vcpu->id = id;
  vcpu->fd = ::memfd_create("fake-vcpu", MFD_CLOEXEC);
  if (::ftruncate(vcpu->fd, kRunPageSize) != 0) {
    return -1;
  }
  void* const page = ::mmap(nullptr, kRunPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
  if (page == MAP_FAILED) {
    return -1;
  }
  vcpu->run = static_cast<kvm_run*>(page);
  vcpu->guest = guests_[id];
  const int fd = vcpu->fd;
  vcpus_[id] = std::move(vcpu);
  return fd;
}

FakeKvm::FakeVcpu* FakeKvm::Find(int fd) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, vcpu] : vcpus_) {
    if (vcpu->fd == fd) {
      return vcpu.get();
    }
  }
  return nullptr;
}

void FakeKvm::NoteMsrs(const kvm_msrs& msrs) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < msrs.nmsrs; ++i) {
    written_msrs_.insert(msrs.entries[i].index);
  }
}

void FakeKvm::SetLine(const kvm_irq_level& level) {
  const std::lock_guard lock(mutex_);
  lines_.at(level.irq).store(level.level != 0);
  for (const auto& [id, vcpu] : vcpus_) {
    ::eventfd_write(vcpu->wake.get(), 1);
  }
}

/// Still in user space: a signal is handled here, and is over when the kernel is entered.
void FakeKvm::PassHoldPoint(ApicId id) {
  std::unique_lock lock(mutex_);
  if (to_be_held_ == id) {
    held_ = true;
    hold_changed_.notify_all();
    hold_changed_.wait(lock, [this] { return !held_; });
  }
}

int FakeKvm::Run(FakeVcpu& vcpu) {
  PassHoldPoint(vcpu.id);
  const AllSignalsBlocked in_kernel;
  // KVM finishes the last access before anything else.
  if (std::exchange(vcpu.reading, false)) {
    std::uint32_t value = 0;
    std::memcpy(&value, vcpu.port_data(), vcpu.run->io.size);
    vcpu.guest->Take(value);
  }
  while (std::atomic_ref(vcpu.run->immediate_exit).load() == 0 && !in_kernel.Pending()) {
    if (RunGuest(vcpu)) {
      return 0;
    }
    pollfd wake{.fd = vcpu.wake.get(), .events = POLLIN, .revents = 0};
    if (::ppoll(&wake, 1, nullptr, &in_kernel.before()) < 0) {
      break;  // a signal, which has been handled
    }
    eventfd_t changes = 0;
    ::eventfd_read(vcpu.wake.get(), &changes);
  }
  vcpu.run->exit_reason = KVM_EXIT_INTR;
  return FailWith(EINTR);
}

/// True: an exit. False: the CPU is halted.
bool FakeKvm::RunGuest(FakeVcpu& vcpu) {
  const auto access = vcpu.guest != nullptr ? vcpu.guest->Next() : std::nullopt;
  if (!access) {
    return false;
  }
  kvm_run& run = *vcpu.run;
  run.exit_reason = KVM_EXIT_IO;
  run.io.direction = access->is_write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
  run.io.size = access->width;
  run.io.port = access->port;
  run.io.count = 1;
  run.io.data_offset = kPortDataOffset;
  std::memcpy(vcpu.port_data(), &access->value, access->width);
  vcpu.reading = !access->is_write;
  return true;
}

int IoctlForTests(int fd, unsigned long request, void* argument) {
  FakeKvm* const kvm = _IOC_TYPE(request) == KVMIO ? current.load() : nullptr;
  return kvm != nullptr ? kvm->Ioctl(fd, request, argument) : __real_ioctl(fd, request, argument);
}

}  // namespace tidevm::kvm

// ld --wrap=ioctl makes this of every call of ::ioctl.
extern "C" int __wrap_ioctl(int fd, unsigned long request, ...) {
  std::va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return tidevm::kvm::IoctlForTests(fd, request, argument);
}
