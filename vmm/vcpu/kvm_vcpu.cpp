#include "vmm/vcpu/kvm_vcpu.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <mutex>
#include <system_error>
#include <utility>
#include <variant>

#include "vmm/vcpu/thread_affinity.h"

namespace tidevm::vcpu {
namespace {

int KickSignal() { return SIGRTMIN; }

// Only has to interrupt KVM_RUN. That a signal which comes just before KVM_RUN is not lost is
// immediate_exit's doing, which is set before the signal is sent.
void HandleKick(int /*signal*/) {}

Result<void> InstallKickHandler() {
  static std::once_flag once;
  static int failure = 0;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = HandleKick;  // no SA_RESTART: blocking calls of the thread end as well
    sigemptyset(&action.sa_mask);
    if (::sigaction(KickSignal(), &action, nullptr) < 0) {
      failure = errno;
    }
  });
  if (failure != 0) {
    return FailErrno(failure, "installing the handler of the vCPU kick signal");
  }
  return {};
}

/// 0 where the clock's thread has ended.
std::chrono::nanoseconds CpuTimeOf(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) {
    return {};
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Result<PristineState> SetUp(kvm::Vcpu& vcpu, const VcpuSetup& setup) {
  if (auto set = vcpu.SetCpuid(setup.cpuid); !set) {
    return tl::make_unexpected(std::move(set.error()));
  }
  auto pristine = PristineState::Capture(vcpu, setup.msrs);
  if (!pristine) {
    return pristine;
  }
  // KVM finds the target of an INIT in a map of APICs that it makes anew when an APIC changes, and
  // a vCPU made while others run is not in it: INIT and SIPI would be lost without a trace. Writing
  // the LAPIC puts it there.
  if (auto mapped = pristine->EnterApicMap(vcpu); !mapped) {
    return tl::make_unexpected(std::move(mapped.error()));
  }
  return pristine;
}

}  // namespace

Result<std::unique_ptr<KvmVcpu>> KvmVcpu::Create(kvm::Vm& vm, const VcpuSetup& setup,
                                                 const VcpuEnvironment& environment) {
  if (auto installed = InstallKickHandler(); !installed) {
    return tl::make_unexpected(std::move(installed.error()));
  }
  auto vcpu = vm.CreateVcpu(setup.apic_id);
  if (!vcpu) {
    return Chain(std::move(vcpu.error()), fmt::format("making vCPU {}", setup.cpu));
  }
  auto pristine = SetUp(*vcpu, setup);
  if (!pristine) {
    vm.KeepVcpu(setup.apic_id, std::move(*vcpu));
    return Chain(std::move(pristine.error()), fmt::format("making vCPU {}", setup.cpu));
  }
  return std::unique_ptr<KvmVcpu>(
      new KvmVcpu(std::move(*vcpu), std::move(*pristine), setup, environment));
}

KvmVcpu::KvmVcpu(kvm::Vcpu vcpu, PristineState pristine, const VcpuSetup& setup,
                 const VcpuEnvironment& environment)
    : Vcpu(setup.cpu, setup.apic_id),
      environment_(environment),
      pristine_(std::move(pristine)),
      vcpu_(std::move(vcpu)) {}

KvmVcpu::~KvmVcpu() {
  if (thread_.joinable()) {
    DoRequestStop();
    thread_.join();
  }
}

std::optional<pid_t> KvmVcpu::thread_id() const {
  const pid_t id = thread_id_.load();
  return thread_.joinable() && id != 0 ? std::optional(id) : std::nullopt;
}

std::chrono::nanoseconds KvmVcpu::cpu_time() const {
  // Between thread start and join the handle is valid, also when the thread has ended.
  clockid_t clock{};
  auto handle = const_cast<std::thread&>(thread_).native_handle();
  if (!thread_.joinable() || ::pthread_getcpuclockid(handle, &clock) != 0) {
    return {};
  }
  const auto time = CpuTimeOf(clock);
  return time == std::chrono::nanoseconds{} ? last_cpu_time_.load() : time;
}

std::vector<std::uint64_t> KvmVcpu::exit_counts() const {
  std::vector<std::uint64_t> counts;
  counts.reserve(exits_.size());
  for (const auto& count : exits_) {
    counts.push_back(count.load(std::memory_order_relaxed));
  }
  return counts;
}

std::optional<CpuSet> KvmVcpu::affinity() const {
  const auto thread = thread_id();
  return thread ? GetThreadAffinity(*thread) : std::nullopt;
}

Result<void> KvmVcpu::SetAffinity(const CpuSet& host_cpus) {
  if (const auto thread = thread_id()) {
    if (auto set = SetThreadAffinity(*thread, host_cpus); !set) {
      return Chain(std::move(set.error()), fmt::format("vCPU {}", cpu()));
    }
  }
  wanted_affinity_ = host_cpus;
  return {};
}

Result<void> KvmVcpu::DoSetEntry(const LongModeEntry& entry) { return EnterLongMode(vcpu_, entry); }

Result<void> KvmVcpu::DoStart() {
  stop_requested_.store(false);
  held_.store(false);
  thread_id_.store(0);
  paravirt_ = {};
  booting_noted_ = false;
  try {
    thread_ = std::thread([this] { ThreadMain(); });
  } catch (const std::system_error& error) {
    return FailErrno(error.code().value(),
                     "starting the thread of vCPU {}; if it is a limit, raise that of this user's "
                     "threads (ulimit -u) or of the cgroup's (pids.max, TasksMax=)",
                     cpu());
  }
  return {};
}

void KvmVcpu::DoRequestStop() {
  stop_requested_.store(true);
  environment_.gate.Wake();
  Kick();
}

void KvmVcpu::DoJoin() {
  thread_.join();
  ended_cpu_time_ += last_cpu_time_.exchange({});
  thread_id_.store(0);
  held_.store(false);
}

Result<void> KvmVcpu::DoRevive() { return pristine_.Restore(vcpu_); }

void KvmVcpu::Kick() {
  if (thread_.joinable()) {
    vcpu_.set_immediate_exit(true);
    // A thread that has ended already needs no signal, whatever the answer.
    static_cast<void>(::pthread_kill(thread_.native_handle(), KickSignal()));
  }
}

void KvmVcpu::ThreadMain() {
  const std::string name = fmt::format("vcpu-{}", cpu());
  ::pthread_setname_np(::pthread_self(), name.c_str());
  // Whoever started this process may have left the signal blocked.
  sigset_t kick;
  sigemptyset(&kick);
  sigaddset(&kick, KickSignal());
  ::pthread_sigmask(SIG_UNBLOCK, &kick, nullptr);
  const auto thread = static_cast<pid_t>(::syscall(SYS_gettid));
  if (wanted_affinity_) {
    if (const auto bound = SetThreadAffinity(thread, *wanted_affinity_); !bound) {
      spdlog::warn("vCPU {}: {}", cpu(), bound.error().message);
    }
  }
  const auto confined = environment_.confine(name);
  thread_id_.store(thread);
  environment_.observer.OnThreadStarted(cpu());
  ThreadEnd end{.kind = ThreadEnd::Kind::kBroken, .description = {}};
  if (confined) {
    end = RunLoop();
    CompleteLastExit();
  } else {
    end.description = confined.error().message;
  }
  last_cpu_time_.store(CpuTimeOf(CLOCK_THREAD_CPUTIME_ID));
  thread_id_.store(0);  // from here on the number may become another thread's
  environment_.observer.OnThreadEnded(cpu(), std::move(end));
}

ThreadEnd KvmVcpu::RunLoop() {
  // The orders are looked at before each KVM_RUN; whoever gives one kicks afterwards, so that an
  // order that comes after the look makes KVM_RUN return at once.
  while (!stop_requested_.load()) {
    if (!environment_.gate.open()) {
      WaitAtGate();
      continue;
    }
    const kvm::Exit exit = vcpu_.Run();
    exits_.at(exit.index()).fetch_add(1, std::memory_order_relaxed);
    if (std::holds_alternative<kvm::ExitInterrupted>(exit)) {
      vcpu_.set_immediate_exit(false);
      continue;
    }
    if (auto end = Handle(exit)) {
      return std::move(*end);
    }
  }
  return {.kind = ThreadEnd::Kind::kStopped, .description = {}};
}

std::optional<ThreadEnd> KvmVcpu::Handle(const kvm::Exit& exit) {
  if (const auto* io = std::get_if<kvm::ExitIo>(&exit)) {
    HandleIo(*io);
    return std::nullopt;
  }
  if (const auto* mmio = std::get_if<kvm::ExitMmio>(&exit)) {
    if (mmio->is_write) {
      environment_.memory.Write(mmio->gpa, mmio->data);
    } else {
      environment_.memory.Read(mmio->gpa, mmio->data);
    }
    return std::nullopt;
  }
  if (std::holds_alternative<kvm::ExitShutdown>(exit)) {
    return ThreadEnd{.kind = ThreadEnd::Kind::kTripleFault, .description = "triple fault"};
  }
  if (const auto* broken = std::get_if<kvm::ExitBroken>(&exit)) {
    return ThreadEnd{.kind = ThreadEnd::Kind::kBroken, .description = broken->description};
  }
  if (const auto* unsupported = std::get_if<kvm::ExitUnsupported>(&exit)) {
    return ThreadEnd{
        .kind = ThreadEnd::Kind::kBroken,
        .description = fmt::format("KVM exit reason {} is not one that tidevm asked for",
                                   unsupported->reason)};
  }
  if (const auto* write = std::get_if<kvm::ExitMsrWrite>(&exit)) {
    HandleMsrWrite(*write);
  } else if (std::holds_alternative<kvm::ExitAwakened>(exit)) {
    NoteBooting();
  }
  return std::nullopt;  // run again
}

void KvmVcpu::HandleIo(const kvm::ExitIo& io) {
  for (std::span<std::byte> rest = io.data; rest.size() >= io.width && io.width > 0;
       rest = rest.subspan(io.width)) {
    if (io.is_write) {
      environment_.ports.Write(io.port, rest.first(io.width));
    } else {
      environment_.ports.Read(io.port, rest.first(io.width));
    }
  }
}

void KvmVcpu::HandleMsrWrite(const kvm::ExitMsrWrite& write) {
  const kvm_msr_entry entry{.index = write.index, .reserved = 0, .data = write.value};
  const auto refused = vcpu_.SetMsrs(std::span(&entry, 1));
  if (!refused || !refused->empty()) {
    vcpu_.FailMsrWrite();
    return;
  }
  if (!ParavirtMsrs::Has(write.index)) {
    return;
  }
  if (const auto online = paravirt_.Note(write.index, write.value)) {
    environment_.observer.OnOnlineChanged(cpu(), *online);
  }
}

void KvmVcpu::NoteBooting() {
  if (!std::exchange(booting_noted_, true)) {
    environment_.observer.OnBooting(cpu());
  }
}

void KvmVcpu::WaitAtGate() {
  if (spdlog::should_log(spdlog::level::debug)) {
    if (const auto regs = vcpu_.GetRegs()) {
      spdlog::debug("vCPU {}: held at rip {:#x}", cpu(), std::uint64_t{regs->rip});
    }
  }
  held_.store(true);
  environment_.observer.OnThreadHeld(cpu());
  environment_.gate.Wait(stop_requested_);
  held_.store(false);
  vcpu_.NotePaused();
}

// An exit for I/O is only finished by the next KVM_RUN (registers written, RIP moved on). A vCPU
// that ejected itself would otherwise carry the unfinished half into its next life.
void KvmVcpu::CompleteLastExit() {
  constexpr int kMostFragments = 8;  // an MMIO access over a page boundary comes in pieces
  for (int i = 0; i < kMostFragments; ++i) {
    vcpu_.set_immediate_exit(true);
    const kvm::Exit exit = vcpu_.Run();
    if (!std::holds_alternative<kvm::ExitIo>(exit) &&
        !std::holds_alternative<kvm::ExitMmio>(exit)) {
      break;
    }
    static_cast<void>(Handle(exit));
  }
  vcpu_.set_immediate_exit(false);
}

}  // namespace tidevm::vcpu
