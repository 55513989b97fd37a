// What process 1 does before anything else: mounts, console, modules, the kernel's command line.
#pragma once

#include <string>

namespace tidevm::guest {

struct Options {
  bool auto_online = true;        // tidevm.auto-online=on|off
  bool shell = false;             // tidevm.shell
  bool kernel_log = false;        // tidevm.kernel-log: leave the kernel's messages on the console
  std::string console = "ttyS0";  // tidevm.console=NAME
};

// From /proc/cmdline.
Options ReadOptions();

// proc, sysfs, devtmpfs and so on, and stdio on the console. What fails is complained about on the
// console; there is nobody to give up to.
void MountFilesystems();

// The modules that /modules/order names, in that order.
void LoadModules();

}  // namespace tidevm::guest
