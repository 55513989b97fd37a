#include "vmm/machine/probe_guest.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "vmm/machine/probe_guest_abi.h"
#include "vmm/machine/probe_guest_memory.h"

namespace tidevm::machine {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

// Met only by a test that has gone astray: what passes takes milliseconds. Long enough for a host
// that has much else to do.
constexpr auto kTimeLimit = 5s;
// What a measurement may take, unless the time limit ends it before.
constexpr nanoseconds kMeasureFor = 300ms;

// ---- stopping a vCPU thread

// Not the signal of vcpu::KvmVcpu, so that either works while the other is in use.
int KickSignal() { return SIGRTMIN + 1; }

thread_local kvm::Vcpu* this_thread_vcpu = nullptr;

void HandleKick(int /*signal*/) {
  if (this_thread_vcpu != nullptr) {
    this_thread_vcpu->set_immediate_exit(true);
  }
}

/// The kick's handler while this lives.
class KickHandler {
 public:
  KickHandler() {
    struct sigaction action {};
    action.sa_handler = HandleKick;
    sigemptyset(&action.sa_mask);
    installed_ = ::sigaction(KickSignal(), &action, &before_) == 0;
  }
  ~KickHandler() {
    if (installed_) {
      ::sigaction(KickSignal(), &before_, nullptr);
    }
  }
  KickHandler(const KickHandler&) = delete;
  KickHandler& operator=(const KickHandler&) = delete;
  KickHandler(KickHandler&&) = delete;
  KickHandler& operator=(KickHandler&&) = delete;

  bool installed() const { return installed_; }

 private:
  struct sigaction before_ {};
  bool installed_ = false;
};

nanoseconds ThreadCpuTime() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// ---- what the guest reports

const char* ExceptionName(std::uint32_t vector) {
  // Intel SDM vol. 3A, table 6-1.
  static constexpr std::array kNames = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "?",   "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "?",   "#MF", "#AC", "#MC", "#XM"};
  return vector < kNames.size() ? kNames.at(vector) : "?";
}

/// The run of one test, as its vCPU threads tell it. Any thread; `mutex_` is the only lock.
class Transcript {
 public:
  /// On a vCPU thread. False: the test has ended.
  bool Note(const kvm::ExitIo& io) {
    std::uint32_t value = 0;
    if (io.width != sizeof value || io.data.size() != sizeof value) {
      Fail(fmt::format("an access of {} bytes to port {:#x}", io.data.size(), io.port));
      return false;
    }
    if (!io.is_write) {
      value = io.port == PROBE_PORT_ECHO ? PROBE_ECHO : ~0U;
      std::memcpy(io.data.data(), &value, sizeof value);
      return true;
    }
    std::memcpy(&value, io.data.data(), sizeof value);
    return NoteWrite(io.port, value);
  }

  /// The first end counts.
  void Fail(std::string reason) { End(ProbeEnd::kFailed, std::move(reason)); }

  /// Waits for the end of the test, at most until the time limit.
  ProbeOutcome Wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kTimeLimit, [this] { return ended_; })) {
      ended_ = true;
      // A measurement that was cut short is still one.
      outcome_.end = outcome_.work > 0 ? ProbeEnd::kPassed : ProbeEnd::kFailed;
      outcome_.reason = "no answer within " + std::to_string(kTimeLimit.count()) + " s";
    }
    return outcome_;
  }

 private:
  bool NoteWrite(std::uint16_t port, std::uint32_t value) {
    const std::lock_guard lock(mutex_);
    switch (port) {
      case PROBE_PORT_STAGE:
        outcome_.stage = value;
        return true;
      case PROBE_PORT_MARK:
        return Mark(value);
      case PROBE_PORT_VECTOR:
        vector_ = value;
        return true;
      case PROBE_PORT_ERROR_CODE:
        error_code_ = value;
        return true;
      case PROBE_PORT_CS:
        cs_ = value;
        return true;
      case PROBE_PORT_NOTHING:
      case PROBE_PORT_AP:
        return true;
      case PROBE_PORT_DONE:
        return EndLocked(ProbeEnd::kPassed, {});
      case PROBE_PORT_NOT_OFFERED:
        return EndLocked(ProbeEnd::kNotOffered, {});
      case PROBE_PORT_MISMATCH:
        return EndLocked(ProbeEnd::kFailed, fmt::format("wrong result, found {:#x}", value));
      case PROBE_PORT_RIP:
        return EndLocked(ProbeEnd::kFailed,
                         fmt::format("exception {} ({}), error code {:#x}, at {:#x} with CS {:#x}",
                                     vector_, ExceptionName(vector_), error_code_, value, cs_));
      default:
        return EndLocked(ProbeEnd::kFailed,
                         fmt::format("stray write of {:#x} to port {:#x}", value, port));
    }
  }

  bool Mark(std::uint32_t work) {
    const nanoseconds now = ThreadCpuTime();
    if (!first_mark_) {
      first_mark_ = now;
      return true;
    }
    outcome_.work += work;
    outcome_.cpu_time = now - *first_mark_;
    return outcome_.cpu_time < kMeasureFor || EndLocked(ProbeEnd::kPassed, {});
  }

  void End(ProbeEnd end, std::string reason) {
    const std::lock_guard lock(mutex_);
    EndLocked(end, std::move(reason));
  }

  bool EndLocked(ProbeEnd end, std::string reason) {
    if (!ended_) {
      ended_ = true;
      outcome_.end = end;
      outcome_.reason = std::move(reason);
      changed_.notify_all();
    }
    return false;
  }

  std::mutex mutex_;  // innermost
  std::condition_variable changed_;
  ProbeOutcome outcome_;
  bool ended_ = false;
  std::optional<nanoseconds> first_mark_;
  std::uint32_t vector_ = 0;
  std::uint32_t error_code_ = 0;
  std::uint32_t cs_ = 0;
};

// ---- the vCPU threads

/// An internal error without KVM's dump: which instruction it was is known from the stage.
std::string Short(const std::string& description) {
  return description.starts_with("KVM_EXIT_INTERNAL_ERROR")
             ? description.substr(0, description.find(" 0x"))
             : description;
}

/// True: go on.
bool HandleExit(const kvm::Exit& exit, Transcript& transcript) {
  struct Visitor {
    Transcript& transcript;
    bool Fail(std::string reason) const {
      transcript.Fail(std::move(reason));
      return false;
    }
    bool operator()(const kvm::ExitInterrupted& /*exit*/) const { return true; }
    bool operator()(const kvm::ExitAwakened& /*exit*/) const { return true; }
    bool operator()(const kvm::ExitIo& io) const { return transcript.Note(io); }
    bool operator()(const kvm::ExitMmio& mmio) const {
      return Fail(fmt::format("an access to guest physical {:#x}, where nothing is", mmio.gpa));
    }
    bool operator()(const kvm::ExitMsrWrite& write) const {  // which nobody asked for
      return Fail(fmt::format("KVM_EXIT_X86_WRMSR, MSR {:#x}", write.index));
    }
    bool operator()(const kvm::ExitHalt& /*exit*/) const { return Fail("KVM_EXIT_HLT"); }
    bool operator()(const kvm::ExitShutdown& /*exit*/) const {
      return Fail("triple fault: an exception could not be delivered");
    }
    bool operator()(const kvm::ExitBroken& broken) const { return Fail(Short(broken.description)); }
    bool operator()(const kvm::ExitUnsupported& unsupported) const {
      return Fail(fmt::format("KVM exit reason {}", unsupported.reason));
    }
  };
  return std::visit(Visitor{transcript}, exit);
}

void RunVcpu(kvm::Vcpu& vcpu, const std::atomic<bool>& stop, Transcript& transcript) {
  this_thread_vcpu = &vcpu;
  sigset_t kick;
  sigemptyset(&kick);
  sigaddset(&kick, KickSignal());
  ::pthread_sigmask(SIG_UNBLOCK, &kick, nullptr);
  bool go_on = true;
  while (go_on && !stop.load()) {
    go_on = HandleExit(vcpu.Run(), transcript);
    // Cleared before `stop` is looked at: a kick comes after `stop` is set.
    vcpu.set_immediate_exit(false);
  }
  this_thread_vcpu = nullptr;
}

ProbeOutcome RunVcpus(std::vector<kvm::Vcpu>& vcpus) {
  Transcript transcript;
  std::atomic<bool> stop = false;  // read between two KVM_RUN; a lock there would be one per exit
  std::vector<std::jthread> threads;
  try {
    for (kvm::Vcpu& vcpu : vcpus) {
      threads.emplace_back([&] { RunVcpu(vcpu, stop, transcript); });
    }
  } catch (const std::system_error& error) {
    transcript.Fail(fmt::format("starting a thread: {}", error.what()));
  }
  ProbeOutcome outcome = transcript.Wait();
  stop.store(true);
  for (std::jthread& thread : threads) {
    ::pthread_kill(thread.native_handle(), KickSignal());
  }
  threads.clear();  // joins
  return outcome;
}

}  // namespace

Result<ProbeOutcome> RunProbe(const kvm::System& system,
                              std::span<const kvm_cpuid_entry2> supported_cpuid, ProbeTest test) {
  const KickHandler kick;
  if (!kick.installed()) {
    return FailErrno(errno, "installing the handler of the probe's kick signal");
  }
  ProbeMemory memory;  // outlives the VM
  auto vm = system.CreateVm();
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  if (auto set = vm->SetMemory(0, 0, memory.bytes()); !set) {
    return tl::make_unexpected(std::move(set.error()));
  }
  std::vector<kvm::Vcpu> vcpus;
  for (ApicId id = 0; id < (test == ProbeTest::kSecondProcessor ? 2U : 1U); ++id) {
    auto vcpu = vm->CreateVcpu(id);
    if (!vcpu) {
      return tl::make_unexpected(std::move(vcpu.error()));
    }
    if (auto set = vcpu->SetCpuid(supported_cpuid); !set) {
      return tl::make_unexpected(std::move(set.error()));
    }
    vcpus.push_back(std::move(*vcpu));
  }
  if (auto entered = memory.Enter(vcpus.front(), test); !entered) {
    return tl::make_unexpected(std::move(entered.error()));
  }
  return RunVcpus(vcpus);
}

}  // namespace tidevm::machine
