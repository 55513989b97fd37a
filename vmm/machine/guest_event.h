// What vCPU threads tell the machine thread, beside the hotplug registers' intents.
#pragma once

#include <chrono>
#include <variant>

#include "tidevm/ids.h"
#include "tidevm/mailbox.h"
#include "vmm/devices/power_device.h"
#include "vmm/devices/pvpanic_device.h"
#include "vmm/vcpu/vcpu_observer.h"

namespace tidevm::machine {

struct ThreadStarted {
  CpuId cpu = 0;
  std::chrono::steady_clock::time_point when = std::chrono::steady_clock::now();
};
struct ThreadHeld {
  CpuId cpu = 0;
};
struct ThreadEnded {
  CpuId cpu = 0;
  vcpu::ThreadEnd end;
};
struct PowerOff {};
struct GuestReset {};
struct Panicked {};
struct CrashLoaded {};

using GuestEvent = std::variant<ThreadStarted, ThreadHeld, ThreadEnded, PowerOff, GuestReset,
                                Panicked, CrashLoaded>;

/// Posts everything that the devices and the vCPU threads report. Any thread. What a guest can
/// repeat at will (reset, power-off, panic) is dropped while many messages wait: one of each is
/// enough.
class GuestEventPoster final : public vcpu::VcpuObserver,
                               public devices::PowerEvents,
                               public devices::PanicEvents {
 public:
  explicit GuestEventPoster(Mailbox<GuestEvent>& mailbox) : mailbox_(mailbox) {}

  void OnThreadStarted(CpuId cpu) override { mailbox_.Post(ThreadStarted{.cpu = cpu}); }
  void OnThreadHeld(CpuId cpu) override { mailbox_.Post(ThreadHeld{cpu}); }
  void OnThreadEnded(CpuId cpu, vcpu::ThreadEnd end) override {
    mailbox_.Post(ThreadEnded{cpu, std::move(end)});
  }
  void OnPowerOff() override { mailbox_.Post(PowerOff{}, kEnough); }
  void OnReset() override { mailbox_.Post(GuestReset{}, kEnough); }
  void OnPanicked() override { mailbox_.Post(Panicked{}, kEnough); }
  void OnCrashLoaded() override { mailbox_.Post(CrashLoaded{}, kEnough); }

 private:
  static constexpr std::size_t kEnough = 2048;  // above any number of vCPU threads
  Mailbox<GuestEvent>& mailbox_;
};

}  // namespace tidevm::machine
