// The systems that are compared, and how each is started with the same guest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidevm::benchmark {

enum class System { kTidevm, kQemuQ35, kQemuMicrovm };

/// As in results and on the command line: tidevm, qemu-q35, qemu-microvm.
std::string_view Name(System system);

/// Where everything is; paths.
struct Programs {
  std::string tidevm;
  std::string qemu;
  std::string kernel;
  std::string initrd;
};

/// What all systems are given alike.
struct Shape {
  std::uint32_t boot = 1;
  std::uint32_t max = 1;
  std::uint32_t memory_mebibytes = 512;
  std::string more_cmdline{};  // behind what every guest has
};

/// The command that starts `system` with its guest's ttyS0 on standard output and input, and its
/// QMP socket at `control`. Nothing that the guest does not use: no default devices, no display.
std::vector<std::string> StartCommand(System system, const Programs& programs, const Shape& shape,
                                      const std::string& control);

}  // namespace tidevm::benchmark
