// What process 1 of the emulated host does before it takes commands.
#pragma once

namespace tidevm::host_agent {

// Mounts, modules, loopback, /dev/kvm. Prints what failed on the host's console and goes on: a
// host without KVM is still of use to say so.
void SetUpHost();

// The virtio-serial port that kvm-host talks through. Does not return without one.
int OpenPort();

}  // namespace tidevm::host_agent
