// A KVM that pretends: for tests of moments that a real one passes in an instant, on any machine.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "tidevm/ids.h"
#include "tidevm/unique_fd.h"
#include "vmm/kvm/kvm_abi.h"

namespace tidevm::kvm {

/// One access of a guest to an I/O port.
struct PortAccess {
  std::uint16_t port = 0;
  std::uint8_t width = 1;
  bool is_write = false;
  std::uint32_t value = 0;  // of a write
};

/// What runs on a vCPU. Called on its thread.
class FakeGuest {
 public:
  FakeGuest() = default;
  FakeGuest(const FakeGuest&) = delete;
  FakeGuest& operator=(const FakeGuest&) = delete;
  virtual ~FakeGuest() = default;

  /// The next access; nullopt: the CPU halts until some interrupt line changes.
  virtual std::optional<PortAccess> Next() = 0;
  /// What the last access, a read, gave.
  virtual void Take(std::uint32_t value) = 0;
};

/// While one exists, every KVM ioctl of the process is its; a program that links it has its ::ioctl
/// replaced (ld --wrap). Where KVM's answer matters here, it is as Documentation/virt/kvm/api.rst
/// has it: a vCPU's id is taken for ever, and KVM_RUN ends with EINTR for immediate_exit and for a
/// signal that comes once it has begun, but not for one that was handled before. All other calls
/// succeed, and read zeros. Any thread.
class FakeKvm {
 public:
  FakeKvm();
  FakeKvm(const FakeKvm&) = delete;
  FakeKvm& operator=(const FakeKvm&) = delete;
  ~FakeKvm();

  /// For System::Open(): any file will do.
  static constexpr const char* kPath = "/dev/null";

  /// What runs on vCPU `id`, which is not there yet; without it, the vCPU waits for INIT for ever.
  void SetGuest(ApicId id, std::shared_ptr<FakeGuest> guest);

  /// The thread of vCPU `id` is held when it next comes to KVM_RUN: behind all that it looks at
  /// before, and not in the kernel yet.
  void HoldBeforeRun(ApicId id);
  /// False: it does not come there.
  bool WaitUntilHeld();
  void Release();

  /// The level of a pin of the I/O APIC.
  bool line(Gsi gsi) const { return lines_.at(gsi).load(); }
  std::set<std::uint32_t> written_msrs() const;

  /// What ::ioctl does. The answer is ioctl's.
  int Ioctl(int fd, unsigned long request, void* argument);

 private:
  struct FakeVcpu;

  int CreateVcpu(ApicId id);
  int Run(FakeVcpu& vcpu);
  static bool RunGuest(FakeVcpu& vcpu);
  void PassHoldPoint(ApicId id);
  void NoteMsrs(const kvm_msrs& msrs);
  void SetLine(const kvm_irq_level& level);
  FakeVcpu* Find(int fd);

  mutable std::mutex mutex_;
  std::map<ApicId, std::shared_ptr<FakeGuest>> guests_;
  std::map<ApicId, std::unique_ptr<FakeVcpu>> vcpus_;
  std::set<std::uint32_t> written_msrs_;
  std::array<std::atomic<bool>, KVM_IOAPIC_NUM_PINS> lines_{};
  std::condition_variable hold_changed_;
  std::optional<ApicId> to_be_held_;
  bool held_ = false;
};

}  // namespace tidevm::kvm
