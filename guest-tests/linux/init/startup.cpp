#include "startup.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "text.h"

namespace tidevm::guest {
namespace {

constexpr const char* kModules = "/modules/";

void Complain(const std::string& what) {
  dprintf(STDERR_FILENO, "tidevm init: %s: %s\n", what.c_str(), strerror(errno));
}

void Mount(const char* type, const char* where, unsigned long flags, const char* options) {
  mkdir(where, 0755);
  if (mount(type, where, type, flags, options) != 0) {
    Complain(std::string("mount ") + where);
  }
}

// The kernel gives process 1 no stdio when the initramfs has no /dev/console node (which only root
// could have made).
void OpenStdio() {
  const int console = open("/dev/console", O_RDWR | O_NOCTTY);
  if (console < 0) {
    return;
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    dup2(console, fd);
  }
  if (console > STDERR_FILENO) {
    close(console);
  }
}

}  // namespace

Options ReadOptions() {
  Options options;
  for (const std::string& word : SplitWords(ReadLine("/proc/cmdline"))) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "on" : word.substr(equals + 1);
    if (key == "tidevm.auto-online") {
      options.auto_online = value != "off";
    }
    if (key == "tidevm.shell") {
      options.shell = value != "off";
    }
    if (key == "tidevm.kernel-log") {
      options.kernel_log = value != "off";
    }
    if (key == "tidevm.console") {
      options.console = value;
    }
  }
  return options;
}

void MountFilesystems() {
  umask(022);
  constexpr unsigned long kData = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  Mount("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  OpenStdio();
  Mount("proc", "/proc", kData, nullptr);
  Mount("sysfs", "/sys", kData, nullptr);
  Mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
  Mount("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
}

void LoadModules() {
  for (const std::string& name : SplitWords(ReadLine(std::string(kModules) + "order"))) {
    const int fd = open((kModules + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) {
      Complain("module " + name);
    }
    if (fd >= 0) {
      close(fd);
    }
  }
}

}  // namespace tidevm::guest
