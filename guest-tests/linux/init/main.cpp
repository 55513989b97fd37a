// The guest's process 1: puts CPUs online the moment they appear, powers off at the button, and
// answers questions on the serial line (or gives a shell there). One thread, one poll loop.

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "console.h"
#include "cpus.h"
#include "power.h"
#include "questions.h"
#include "spinners.h"
#include "startup.h"
#include "text.h"
#include "uevents.h"

namespace tidevm::guest {
namespace {

// Blocks SIGCHLD and gives an fd for it; signals that would end others mean nothing to process 1.
int SignalFd() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// A shell with the line as its controlling terminal.
pid_t StartShell(const std::string& device) {
  const pid_t pid = fork();
  if (pid != 0) {
    return pid;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setsid();
  const int terminal = open(device.c_str(), O_RDWR);
  ioctl(terminal, TIOCSCTTY, 1);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    dup2(terminal, fd);
  }
  if (terminal > STDERR_FILENO) {
    close(terminal);
  }
  const char* const environment[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root",
                                     "TERM=vt220", "ENV=/etc/profile", nullptr};
  if (chdir("/root") != 0) {
    dprintf(STDERR_FILENO, "tidevm init: no /root\n");
  }
  execle("/bin/sh", "-sh", static_cast<char*>(nullptr), environment);
  dprintf(STDERR_FILENO, "tidevm init: no /bin/sh in this initramfs (make-initramfs --shell)\n");
  _exit(127);
}

class Init {
 public:
  explicit Init(const Options& options)
      : options_(options),
        device_("/dev/" + options.console),
        console_(device_),
        cpus_([this](const std::string& text) { Announce(text); }),
        questions_(console_, cpus_, spinners_) {}

  [[noreturn]] void Run();

 private:
  void Announce(const std::string& text) { console_.WriteLine("@tidevm " + text); }
  void BringUp();
  void OnUevents();
  void OnChildren();
  int PollTimeout() const;

  const Options options_;
  const std::string device_;
  const int signals_ = SignalFd();
  UeventSocket uevents_;
  Console console_;
  Cpus cpus_;
  PowerButtons buttons_;
  Spinners spinners_;
  Questions questions_;
  pid_t shell_ = -1;
};

void Init::BringUp() {
  if (!options_.shell) {
    console_.MakeRaw();
    // The kernel writes its messages into the middle of what the UART is still sending, which tears
    // our lines: so only emergencies (and panics) go to the console; `dmesg` has them all.
    if (!options_.kernel_log) {
      WriteFile("/proc/sys/kernel/printk", "1");
    }
  }
  LoadModules();
  buttons_.Scan();
  cpus_.set_auto_online(options_.auto_online);
  Announce("READY online=" + CpuList("online") + " uptime=" + Uptime());
  if (options_.shell) {
    shell_ = StartShell(device_);
  }
}

void Init::OnUevents() {
  const bool complete = uevents_.Drain([this](const Uevent& event) {
    cpus_.HandleUevent(event);
    buttons_.HandleUevent(event);
  });
  if (!complete) {
    buttons_.Scan();
    if (cpus_.auto_online()) {
      cpus_.OnlineAllPresent();
    }
  }
  questions_.CheckWaiting();
}

void Init::OnChildren() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof(info)) > 0) {
  }
  for (pid_t pid = 0; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) {
    spinners_.Forget(pid);
    if (pid == shell_) {
      End(Ending::kPowerOff);
    }
  }
}

int Init::PollTimeout() const {
  const auto deadline = questions_.NextDeadline();
  if (!deadline) {
    return -1;
  }
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*deadline - Questions::Clock::now());
  return static_cast<int>(std::max<long long>(0, left.count()));
}

void Init::Run() {
  BringUp();
  while (true) {
    std::vector<pollfd> fds = {
        {.fd = signals_, .events = POLLIN, .revents = 0},
        {.fd = uevents_.fd(), .events = POLLIN, .revents = 0},
        {.fd = options_.shell ? -1 : console_.fd(), .events = POLLIN, .revents = 0},
    };
    for (const int fd : buttons_.fds()) {
      fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    const int ready = poll(fds.data(), fds.size(), PollTimeout());
    if (ready == 0) {
      questions_.CheckWaiting();
    }
    if (ready <= 0) {
      continue;
    }
    for (size_t i = 3; i < fds.size(); ++i) {
      if (fds[i].revents == 0 || !buttons_.Pressed(fds[i].fd)) {
        continue;
      }
      Announce("power button uptime=" + Uptime());
      console_.Drain();
      End(Ending::kPowerOff);
    }
    if (fds[0].revents != 0) {
      OnChildren();
    }
    if (fds[1].revents != 0) {
      OnUevents();
    }
    if (fds[2].revents != 0) {
      console_.ReadLines([this](std::string_view line) { questions_.HandleLine(line); });
    }
  }
}

}  // namespace
}  // namespace tidevm::guest

int main() {
  tidevm::guest::MountFilesystems();
  tidevm::guest::Init(tidevm::guest::ReadOptions()).Run();
}
