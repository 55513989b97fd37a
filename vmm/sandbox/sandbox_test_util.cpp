#include "vmm/sandbox/sandbox_test_util.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <thread>

#include "tidevm/unique_fd.h"
#include "vmm/sandbox/privileges.h"

namespace tidevm::sandbox {
namespace {

constexpr int kNotConfined = 99;

// In the child. Sanitizers' run-times start threads with calls of their own, so there the thread is
// there before the filters.
void Become(ThreadKind kind, const SandboxOptions& options, const std::function<void()>& body) {
  const auto sandbox = Sandbox::Prepare(options);
  const auto enter = [&](ThreadKind which, const char* name) {
    if (!sandbox->Enter(which, name)) {
      Leave(kNotConfined);
    }
  };
  const auto run = [&] {
    body();
    Leave(kBodyReturned);
  };
  if (!sandbox || !DropPrivileges()) {
    Leave(kNotConfined);
  }
  if (kind == ThreadKind::kVcpu && kInstrumented) {
    std::thread([&] {
      enter(ThreadKind::kMachine, "machine");
      enter(ThreadKind::kVcpu, "vcpu-7");
      run();
    }).join();
  }
  enter(ThreadKind::kMachine, "machine");
  if (kind == ThreadKind::kVcpu) {
    std::thread([&] {
      enter(ThreadKind::kVcpu, "vcpu-7");
      run();
    }).join();
  }
  run();
}

}  // namespace

void Leave(int status) { ::syscall(SYS_exit_group, status); }

Outcome RunConfined(ThreadKind kind, const SandboxOptions& options,
                    const std::function<void()>& body,
                    const std::function<void(pid_t)>& on_output) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    return {};
  }
  UniqueFd read(ends[0]);
  UniqueFd write(ends[1]);
  std::fflush(stdout);  // or the child writes it again
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(write.get(), STDERR_FILENO);
    Become(kind, options, body);
    Leave(kNotConfined);
  }
  write.Reset();
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(read.get(), buffer.data(), buffer.size())) > 0;) {
    outcome.errors.append(buffer.data(), static_cast<std::size_t>(count));
    on_output(child);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace tidevm::sandbox
