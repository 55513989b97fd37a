// What vCPU threads tell the machine thread, beside the hotplug registers' intents.
#pragma once

#include <chrono>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

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
struct Booting {
  CpuId cpu = 0;
  std::chrono::steady_clock::time_point when = std::chrono::steady_clock::now();
};
/// What the guest says of the CPU is in GuestEventPoster::TakeOnline().
struct OnlineChanged {
  CpuId cpu = 0;
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

using GuestEvent = std::variant<ThreadStarted, Booting, OnlineChanged, ThreadHeld, ThreadEnded,
                                PowerOff, GuestReset, Panicked, CrashLoaded>;

/// Posts everything that the devices and the vCPU threads report. Any thread. What a guest can
/// repeat at will (reset, power-off, panic) is dropped while many messages wait: one of each is
/// enough.
class GuestEventPoster final : public vcpu::VcpuObserver,
                               public devices::PowerEvents,
                               public devices::PanicEvents {
 public:
  GuestEventPoster(Mailbox<GuestEvent>& mailbox, std::uint32_t cpus)
      : mailbox_(mailbox), online_(cpus) {}

  void OnThreadStarted(CpuId cpu) override { mailbox_.Post(ThreadStarted{.cpu = cpu}); }
  void OnBooting(CpuId cpu) override { mailbox_.Post(Booting{.cpu = cpu}); }
  void OnOnlineChanged(CpuId cpu, bool online) override {
    const std::lock_guard lock(mutex_);
    online_[cpu].latest = {.online = online, .when = std::chrono::steady_clock::now()};
    if (!std::exchange(online_[cpu].posted, true)) {
      mailbox_.Post(OnlineChanged{cpu});
    }
  }
  void OnThreadHeld(CpuId cpu) override { mailbox_.Post(ThreadHeld{cpu}); }
  void OnThreadEnded(CpuId cpu, vcpu::ThreadEnd end) override {
    mailbox_.Post(ThreadEnded{cpu, std::move(end)});
  }

  struct Online {
    bool online = false;
    std::chrono::steady_clock::time_point when;
  };
  /// After OnlineChanged: the latest of the changes since the last call. Machine thread.
  Online TakeOnline(CpuId cpu) {
    const std::lock_guard lock(mutex_);
    online_[cpu].posted = false;
    return online_[cpu].latest;
  }

  void OnPowerOff() override { mailbox_.Post(PowerOff{}, kEnough); }
  void OnReset() override { mailbox_.Post(GuestReset{}, kEnough); }
  void OnPanicked() override { mailbox_.Post(Panicked{}, kEnough); }
  void OnCrashLoaded() override { mailbox_.Post(CrashLoaded{}, kEnough); }

 private:
  static constexpr std::size_t kEnough = 2048;  // above any number of vCPU threads
  struct OnlineSlot {
    Online latest;
    bool posted = false;  // and not taken: a guest that goes up and down fills no mailbox
  };
  Mailbox<GuestEvent>& mailbox_;
  std::mutex mutex_;                // then the mailbox's
  std::vector<OnlineSlot> online_;  // by CPU id; under mutex_
};

}  // namespace tidevm::machine
