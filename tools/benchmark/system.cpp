#include "tools/benchmark/system.h"

#include <spdlog/fmt/fmt.h>

namespace tidevm::benchmark {
namespace {

std::string KernelCommandLine(const Shape& shape) {
  return "console=ttyS0 quiet" + (shape.more_cmdline.empty() ? "" : " " + shape.more_cmdline);
}

std::vector<std::string> TidevmCommand(const Programs& programs, const Shape& shape,
                                       const std::string& control) {
  return {programs.tidevm,
          "--kernel",
          programs.kernel,
          "--initrd",
          programs.initrd,
          "--cmdline",
          KernelCommandLine(shape),
          "--cpus",
          fmt::format("boot={},max={}", shape.boot, shape.max),
          "--memory",
          fmt::format("{}M", shape.memory_mebibytes),
          "--control",
          control,
          "--log-level",
          "warn"};
}

std::vector<std::string> QemuCommand(const std::string& machine, const Programs& programs,
                                     const Shape& shape, const std::string& control) {
  return {programs.qemu, "-no-user-config", "-nodefaults", "-display", "none",
          // Names of threads, which tell vCPUs from the rest.
          "-name", "bench,debug-threads=on", "-machine", machine, "-accel", "kvm", "-cpu", "host",
          "-m", fmt::format("{}M", shape.memory_mebibytes), "-smp",
          fmt::format("cpus={},maxcpus={}", shape.boot, shape.max), "-kernel", programs.kernel,
          "-initrd", programs.initrd, "-append", KernelCommandLine(shape), "-chardev",
          "stdio,id=console,signal=off", "-serial", "chardev:console", "-qmp",
          fmt::format("unix:{},server=on,wait=off", control)};
}

}  // namespace

std::string_view Name(System system) {
  switch (system) {
    case System::kTidevm:
      return "tidevm";
    case System::kQemuQ35:
      return "qemu-q35";
    case System::kQemuMicrovm:
      return "qemu-microvm";
  }
  return "";
}

std::vector<std::string> StartCommand(System system, const Programs& programs, const Shape& shape,
                                      const std::string& control) {
  switch (system) {
    case System::kTidevm:
      return TidevmCommand(programs, shape, control);
    case System::kQemuQ35:
      return QemuCommand("q35", programs, shape, control);
    case System::kQemuMicrovm:
      return QemuCommand("microvm", programs, shape, control);
  }
  return {};
}

}  // namespace tidevm::benchmark
