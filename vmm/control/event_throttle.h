// Between the machine and its clients: what a guest says without end does not drown them.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>

#include "tidevm/ids.h"
#include "tidevm/rate_limit.h"
#include "vmm/control/event_loop.h"
#include "vmm/control/events.h"

namespace tidevm::control {

/// How often each vCPU's VCPU_STATE, and each vCPU's ACPI_DEVICE_OST, may come.
struct EventLimits {
  unsigned burst = 16;
  std::chrono::milliseconds interval = std::chrono::seconds(1);
};

/// Passes events on. Two kinds a guest can cause as often as it likes: VCPU_STATE (it puts a CPU
/// online and offline) and ACPI_DEVICE_OST. Of each of them, and of each vCPU, a burst passes at
/// once; from then on the latest passes once every interval, and those between are dropped, as QEMU
/// does it with its rate-limited events. So the last one always arrives, and says what is.
///
/// Whatever answers a request of the host is neither late nor lost: before each VCPU_OPERATION what
/// waits of its vCPU passes, and after it there is a new burst. All other kinds pass at once.
///
/// Machine thread only.
class EventThrottle {
 public:
  using Time = std::chrono::system_clock::time_point;
  /// `when`: the moment of the event itself.
  using Pass = std::function<void(const Event& event, Time when)>;

  EventThrottle(EventLoop& loop, Pass pass, EventLimits limits = {});
  EventThrottle(const EventThrottle&) = delete;
  EventThrottle& operator=(const EventThrottle&) = delete;
  ~EventThrottle();

  void Publish(const Event& event);

 private:
  struct Key {
    CpuId cpu = 0;
    std::size_t kind = 0;  // index in Event
    auto operator<=>(const Key&) const = default;
  };
  struct Waiting {
    Event event;
    Time when;
  };
  struct Flow {
    RateLimit limit;
    std::optional<Waiting> waiting{};
    EventLoop::TimerId timer = 0;
  };

  static std::optional<Key> KeyOf(const Event& event);
  void PassWaiting(Flow& flow);
  void Renew(CpuId cpu);

  EventLoop& loop_;
  const Pass pass_;
  const EventLimits limits_;
  std::map<Key, Flow> flows_;
};

}  // namespace tidevm::control
