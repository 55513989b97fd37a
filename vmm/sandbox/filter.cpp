#include "vmm/sandbox/filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <span>
#include <utility>

#include "tidevm/unique_fd.h"
#include "vmm/sandbox/call_name.h"

namespace tidevm::sandbox {
namespace {

struct Release {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;  // scmp_filter_ctx is a void*

/// libseccomp returns errno values, negated.
Result<void> Check(int result, std::string_view doing) {
  if (result < 0) {
    return FailErrno(-result, "libseccomp: {}", doing);
  }
  return {};
}

Result<Context> MakeContext(std::uint32_t action) {
  Context context(::seccomp_init(action));
  if (context == nullptr) {
    return Fail(ErrorCode::kIo, "libseccomp: cannot make a filter");
  }
  // The 32-bit and x32 calls, which no rule is about, too.
  auto set =
      Check(::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, action), "ACT_BADARCH");
  if (set) {
    // Looked at first: KVM_RUN is the call that counts. The kernel keeps a bitmap of those that
    // are allowed with any arguments, for which it runs no filter at all.
    set = Check(::seccomp_syscall_priority(context.get(), SYS_ioctl, 255), "priority of ioctl");
  }
  if (!set) {
    return tl::make_unexpected(set.error());
  }
  return context;
}

Result<void> AddRule(void* context, const CallRule& rule) {
  const std::uint32_t action =
      rule.answer == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.answer));
  std::vector<scmp_arg_cmp> conditions;
  for (const Condition& condition : rule.conditions) {
    conditions.push_back({.arg = condition.argument,
                          .op = SCMP_CMP_MASKED_EQ,
                          .datum_a = condition.mask,
                          .datum_b = condition.value});
  }
  return Check(
      ::seccomp_rule_add_exact_array(context, action, rule.number,
                                     static_cast<unsigned>(conditions.size()), conditions.data()),
      CallName(rule.number));
}

/// libseccomp 2.5 writes a program to a descriptor only.
Result<std::vector<sock_filter>> Export(void* context) {
  const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file.valid()) {
    return FailErrno(errno, "memfd_create for a seccomp filter");
  }
  if (auto written = Check(::seccomp_export_bpf(context, file.get()), "export"); !written) {
    return tl::make_unexpected(written.error());
  }
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<std::size_t>(std::max<off_t>(size, 0)) /
                                   sizeof(sock_filter));
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(program));
  if (bytes.empty() || ::pread(file.get(), bytes.data(), bytes.size(), 0) != size) {
    return FailErrno(errno, "reading a seccomp filter back");
  }
  return program;
}

}  // namespace

Result<Filter> Filter::Compile(const std::vector<CallRule>& rules, Violation violation) {
  const auto context = MakeContext(violation == Violation::kTrap ? SCMP_ACT_TRAP : SCMP_ACT_LOG);
  if (!context) {
    return tl::make_unexpected(context.error());
  }
  for (const CallRule& rule : rules) {
    if (auto added = AddRule(context->get(), rule); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  return Export(context->get()).map([](std::vector<sock_filter> program) {
    return Filter(std::move(program));
  });
}

Result<void> Filter::Install() const {
  const sock_fprog program{.len = static_cast<unsigned short>(program_.size()),
                           .filter = const_cast<sock_filter*>(program_.data())};
  // Without SECCOMP_FILTER_FLAG_LOG: each clone3 would be in the kernel's log.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    return FailErrno(errno,
                     "installing a seccomp filter of {} instructions; --seccomp off runs without",
                     program_.size());
  }
  return {};
}

}  // namespace tidevm::sandbox
