#include "vmm/control/event_throttle.h"

#include <utility>
#include <variant>

namespace tidevm::control {

EventThrottle::EventThrottle(EventLoop& loop, Pass pass, EventLimits limits)
    : loop_(loop), pass_(std::move(pass)), limits_(limits) {}

EventThrottle::~EventThrottle() {
  for (const auto& [key, flow] : flows_) {
    loop_.Cancel(flow.timer);
  }
}

std::optional<EventThrottle::Key> EventThrottle::KeyOf(const Event& event) {
  if (const auto* state = std::get_if<event::VcpuState>(&event)) {
    return Key{.cpu = state->cpu, .kind = event.index()};
  }
  if (const auto* ost = std::get_if<event::AcpiDeviceOst>(&event)) {
    return Key{.cpu = ost->cpu, .kind = event.index()};
  }
  return std::nullopt;
}

void EventThrottle::Publish(const Event& event) {
  const Time when = std::chrono::system_clock::now();
  const auto key = KeyOf(event);
  if (!key) {
    if (const auto* operation = std::get_if<event::VcpuOperation>(&event)) {
      Renew(operation->cpu);
    }
    pass_(event, when);
    return;
  }
  Flow& flow =
      flows_.try_emplace(*key, Flow{.limit = {limits_.burst, limits_.interval}}).first->second;
  const auto now = RateLimit::Clock::now();
  if (!flow.waiting && flow.limit.Take(now)) {
    pass_(event, when);
    return;
  }
  if (!flow.waiting) {
    flow.timer = loop_.After(flow.limit.Next(now) - now, [this, &flow] {
      flow.limit.Take(RateLimit::Clock::now());
      PassWaiting(flow);
    });
  }
  flow.waiting = Waiting{.event = event, .when = when};
}

void EventThrottle::PassWaiting(Flow& flow) {
  loop_.Cancel(flow.timer);
  if (const auto waiting = std::exchange(flow.waiting, std::nullopt)) {
    pass_(waiting->event, waiting->when);
  }
}

void EventThrottle::Renew(CpuId cpu) {
  for (auto flow = flows_.lower_bound(Key{.cpu = cpu});
       flow != flows_.end() && flow->first.cpu == cpu; ++flow) {
    PassWaiting(flow->second);
    flow->second.limit.Renew();
  }
}

}  // namespace tidevm::control
