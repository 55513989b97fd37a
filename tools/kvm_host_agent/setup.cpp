#include "setup.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace tidevm::host_agent {
namespace {

constexpr const char* kModuleList = "/modules/order";
constexpr gid_t kKvmGroup = 106;  // in the image's /etc/group

void Complain(const std::string& what) {
  fprintf(stderr, "kvm-host agent: %s: %s\n", what.c_str(), strerror(errno));
}

void Mount(const char* type, const char* where, unsigned long flags, const char* options) {
  mkdir(where, 0755);
  if (mount(type, where, type, flags, options) != 0) {
    Complain(std::string("mount ") + where);
  }
}

// Stdio is the console: in an initramfs without a /dev/console node the kernel gives none.
void OpenConsole() {
  const int console = open("/dev/console", O_RDWR);
  if (console < 0) {
    return;
  }
  for (int fd = 0; fd <= 2; ++fd) {
    dup2(console, fd);
  }
  if (console > 2) {
    close(console);
  }
}

// Each line: file name below /modules, then parameters.
void LoadModules() {
  std::ifstream list(kModuleList);
  std::string line;
  while (std::getline(list, line)) {
    const size_t space = line.find(' ');
    const std::string path = "/modules/" + line.substr(0, space);
    const std::string parameters = space == std::string::npos ? "" : line.substr(space + 1);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, parameters.c_str(), 0) != 0 && errno != EEXIST)) {
      Complain("module " + path);
    }
    if (fd >= 0) {
      close(fd);
    }
  }
}

void RaiseLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
    Complain("loopback");
  }
  if (fd >= 0) {
    close(fd);
  }
}

}  // namespace

void SetUpHost() {
  umask(022);
  Mount("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  OpenConsole();
  Mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  Mount("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  // For those who look at KVM from outside: its counters, and its tracepoints.
  Mount("debugfs", "/sys/kernel/debug", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  Mount("tracefs", "/sys/kernel/tracing", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  Mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
  Mount("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
  for (const auto& [target, link] : {std::pair{"/proc/self/fd", "/dev/fd"},
                                     {"/proc/self/fd/0", "/dev/stdin"},
                                     {"/proc/self/fd/1", "/dev/stdout"},
                                     {"/proc/self/fd/2", "/dev/stderr"}}) {
    if (symlink(target, link) != 0 && errno != EEXIST) {
      Complain(link);
    }
  }
  if (sethostname("kvm-host", strlen("kvm-host")) != 0) {
    Complain("hostname");
  }
  RaiseLoopback();
  LoadModules();
  // As udev's rules have it on Debian, so that a user needs the group.
  if (chown("/dev/kvm", 0, kKvmGroup) != 0 || chmod("/dev/kvm", 0660) != 0) {
    Complain("/dev/kvm");
  }
}

int OpenPort() {
  int port = -1;
  if (DIR* folder = opendir("/sys/class/virtio-ports")) {
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] == '.') {
        continue;
      }
      port = open((std::string("/dev/") + entry->d_name).c_str(), O_RDWR | O_CLOEXEC);
    }
    closedir(folder);
  }
  if (port < 0) {
    Complain("no virtio-serial port");
    reboot(RB_POWER_OFF);
    pause();
  }
  return port;
}

}  // namespace tidevm::host_agent
