#include "vmm/sandbox/allow_list.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <iterator>
#include <set>

#include "vmm/kvm/kvm_abi.h"

// Which calls become of what tidevm asks glibc for is as in Debian 12 (2.36) unless said otherwise.

// The argument is one value, named as the header names it.
#define TIDEVM_IS(argument, constant) \
  Condition { argument, kAllBits, static_cast<std::uint32_t>(constant), #constant }
#define TIDEVM_IOCTL(request)                                                  \
  CallRule {                                                                   \
    SYS_ioctl, {}, {                                                           \
      Condition { 1, kAllBits, static_cast<std::uint32_t>(request), #request } \
    }                                                                          \
  }

namespace tidevm::sandbox {
namespace {

using Rules = std::vector<CallRule>;

constexpr std::uint32_t kAllBits = 0xffffffff;
constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                      CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

/// Of mmap and mprotect: from the start on, nothing new becomes code.
constexpr Condition kNotExecutable{2, PROT_EXEC, 0, "no PROT_EXEC"};

Condition FutexIs(std::uint32_t operation, std::string_view name) {
  constexpr auto kFlags = static_cast<std::uint32_t>(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  return {1, kAllBits & ~kFlags, operation, name};
}

/// Any thread, also in its last words.
Rules CommonRules(const ProcessFacts& facts) {
  return {
      // malloc, which has one arena (Sandbox::Prepare): others would be grown with mprotect, and
      // trimmed after a look into /proc/sys/vm/overcommit_memory.
      {SYS_brk, "malloc"},
      {SYS_mmap, "malloc; the stack of a thread; a vCPU's run page", {kNotExecutable}},
      {SYS_munmap, "the same"},
      {SYS_madvise,
       "a reset clears the guest's memory; a thread that ends, its stack",
       {TIDEVM_IS(2, MADV_DONTNEED)}},
      {SYS_futex,
       "locks, condition variables, joining threads",
       {FutexIs(FUTEX_WAIT, "FUTEX_WAIT")}},
      {SYS_futex, "the same", {FutexIs(FUTEX_WAKE, "FUTEX_WAKE")}},
      {SYS_futex, "the same", {FutexIs(FUTEX_WAIT_BITSET, "FUTEX_WAIT_BITSET")}},
      {SYS_write, "eventfds, the log, serial output"},
      {SYS_timerfd_settime, "the event loop's timer; the serial port wakes it a moment later"},
      {SYS_clock_gettime, "the CPU time of a thread, which is no business of the vDSO"},
      {SYS_gettid, "the log"},
      {SYS_rt_sigprocmask, "threads start, end and are signalled with signals blocked"},
      {SYS_rt_sigreturn, "the kick that ends KVM_RUN"},
      {SYS_restart_syscall, "the kernel's own, after a stop (SIGSTOP, a debugger) in a timed wait"},
      {SYS_exit, "a thread ends"},
      {SYS_exit_group, "the end, also that by a violation"},
      // abort() and the handlers that restore the terminal, which run on whatever thread fails.
      {SYS_getpid, "to signal a thread"},
      {SYS_tgkill,
       "kicks a vCPU; abort()",
       {{0, kAllBits, static_cast<std::uint32_t>(facts.pid), "this process"}}},
      {SYS_rt_sigaction, "back to how a fatal signal was handled before"},
      {SYS_writev, "what glibc says of a corrupted heap"},
      TIDEVM_IOCTL(TCSETS),  // the terminal as it was
      TIDEVM_IOCTL(TCGETS),  // whether it is; Debian's tcsetattr asks
      // A vCPU's thread.
      TIDEVM_IOCTL(KVM_RUN),
      TIDEVM_IOCTL(KVM_IRQ_LINE),       // a device's interrupt
      TIDEVM_IOCTL(KVM_SET_MSRS),       // a trapped write of the guest is carried out
      TIDEVM_IOCTL(KVM_GET_REGS),       // where a vCPU broke, or was held (debug log)
      TIDEVM_IOCTL(KVM_KVMCLOCK_CTRL),  // it was paused
  };
}

/// A new thread, before its own filter.
Rules ThreadStartRules() {
  return {
      {SYS_clone,
       "a vCPU's thread",
       {{0, CLONE_THREAD | kNamespaces, CLONE_THREAD, "a thread, no process"}}},
      // Its flags lie in memory, where a filter cannot look. glibc takes clone then.
      {SYS_clone3, "the same", {}, ENOSYS},
      {SYS_mprotect, "the stack of a thread, but for its guard page", {kNotExecutable}},
      {SYS_set_robust_list, "each thread"},
      {SYS_rseq, "each thread"},
      {SYS_prctl, "the name of a thread", {TIDEVM_IS(0, PR_SET_NAME)}},
      {SYS_seccomp,
       "the filter of a vCPU's thread, on top of this one",
       {TIDEVM_IS(0, SECCOMP_SET_MODE_FILTER)}},
      {SYS_sched_setaffinity, "set-vcpu-affinity, also for the thread to come"},
  };
}

Rules MachineRules() {
  return {
      {SYS_epoll_wait, "the event loop"},
      {SYS_epoll_ctl, "clients come and go; serial output waits"},
      {SYS_read, "eventfds, the timer, signals, serial input"},
      {SYS_poll, "a terminal or pipe that must not be made non-blocking; the last output"},
      {SYS_close, "clients; the end"},
      {SYS_accept4, "a client"},
      {SYS_getsockopt, "who the client is", {TIDEVM_IS(1, SOL_SOCKET), TIDEVM_IS(2, SO_PEERCRED)}},
      {SYS_geteuid, "whether that user may speak"},
      {SYS_recvfrom, "clients; a socket as serial port"},
      {SYS_sendto, "the same", {{5, kAllBits, 0, "no address"}}},
      {SYS_madvise, "a reset unpacks the kernel through huge pages", {TIDEVM_IS(2, MADV_HUGEPAGE)}},
      {SYS_sched_getaffinity, "query-vcpus"},
      {SYS_pread64, "a reset loads the kernel and the initrd again"},
      {SYS_newfstatat, "their size (fstat)", {TIDEVM_IS(3, AT_EMPTY_PATH)}},
      {SYS_fstat, "the same, from glibc 2.39 on"},
      // A vCPU is made, given its CPUID, brought back to what it was, entered.
      TIDEVM_IOCTL(KVM_CHECK_EXTENSION),
      TIDEVM_IOCTL(KVM_CREATE_VCPU),
      TIDEVM_IOCTL(KVM_SET_CPUID2),
      TIDEVM_IOCTL(KVM_SET_REGS),
      TIDEVM_IOCTL(KVM_GET_SREGS),
      TIDEVM_IOCTL(KVM_SET_SREGS),
      TIDEVM_IOCTL(KVM_GET_XSAVE),
      TIDEVM_IOCTL(KVM_SET_XSAVE),
      TIDEVM_IOCTL(KVM_GET_XCRS),
      TIDEVM_IOCTL(KVM_SET_XCRS),
      TIDEVM_IOCTL(KVM_GET_DEBUGREGS),
      TIDEVM_IOCTL(KVM_SET_DEBUGREGS),
      TIDEVM_IOCTL(KVM_GET_LAPIC),
      TIDEVM_IOCTL(KVM_SET_LAPIC),
      TIDEVM_IOCTL(KVM_GET_VCPU_EVENTS),
      TIDEVM_IOCTL(KVM_SET_VCPU_EVENTS),
      TIDEVM_IOCTL(KVM_GET_MP_STATE),
      TIDEVM_IOCTL(KVM_SET_MP_STATE),
      TIDEVM_IOCTL(KVM_GET_MSRS),
      TIDEVM_IOCTL(KVM_GET_IRQCHIP),  // whether the guest listens to a pin
      TIDEVM_IOCTL(KVM_SET_IRQCHIP),  // a reset
  };
}

/// The file of the control socket, at the end. Beside this, the only thing that the machine thread
/// may do with a path is look at it: newfstatat takes one with AT_EMPTY_PATH too.
Rules SocketFileRules() {
  return {
      {SYS_newfstatat, "whether it is still ours (lstat)", {TIDEVM_IS(3, AT_SYMLINK_NOFOLLOW)}},
      {SYS_unlink, "it goes"},
  };
}

void Append(Rules& to, Rules from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

std::string_view ToString(ThreadKind kind) {
  return kind == ThreadKind::kMachine ? "machine" : "vcpu";
}

std::vector<CallRule> RulesOf(ThreadKind kind, const ProcessFacts& facts) {
  Rules rules = CommonRules(facts);
  if (kind == ThreadKind::kVcpu) {
    return rules;
  }
  Append(rules, ThreadStartRules());
  Append(rules, MachineRules());
  if (facts.removes_socket) {
    Append(rules, SocketFileRules());
  }
  return rules;
}

std::size_t CountCalls(const std::vector<CallRule>& rules) {
  std::set<int> calls;
  for (const CallRule& rule : rules) {
    if (rule.answer == 0) {
      calls.insert(rule.number);
    }
  }
  return calls.size();
}

}  // namespace tidevm::sandbox
