// What a vCPU thread tells the machine.
#pragma once

#include <string>

#include "tidevm/ids.h"

namespace tidevm::vcpu {

/// Why a vCPU thread ended.
struct ThreadEnd {
  enum class Kind {
    kStopped,      ///< it was asked to
    kTripleFault,  ///< the guest's CPU shut down; on a PC that is a reset
    kBroken,       ///< KVM cannot go on with this vCPU
  };
  Kind kind = Kind::kStopped;
  std::string description;  // for kBroken
};

/// What a vCPU thread tells the machine. Called on that thread; must not block, and must not call
/// back into the Vcpu.
class VcpuObserver {
 public:
  VcpuObserver() = default;
  VcpuObserver(const VcpuObserver&) = delete;
  VcpuObserver& operator=(const VcpuObserver&) = delete;
  virtual ~VcpuObserver() = default;

  /// The thread is about to enter KVM_RUN for the first time, or to wait at the gate for it.
  virtual void OnThreadStarted(CpuId cpu) = 0;
  /// The vCPU left its wait for INIT and SIPI: once in the life of a thread.
  virtual void OnBooting(CpuId cpu) = 0;
  /// The guest armed (true) or disarmed the vCPU's paravirtual MSRs. As often as the guest likes.
  virtual void OnOnlineChanged(CpuId cpu, bool online) = 0;
  /// The thread waits at the closed gate.
  virtual void OnThreadHeld(CpuId cpu) = 0;
  /// The thread's last act.
  virtual void OnThreadEnded(CpuId cpu, ThreadEnd end) = 0;
};

}  // namespace tidevm::vcpu
