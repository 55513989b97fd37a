#include "vmm/control/event_loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace tidevm::control {
namespace {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, as the timerfd

constexpr std::uint64_t kTimerToken = 0;

}  // namespace

// A descriptor number may be closed and used again by another file while events for its former
// owner still wait in the batch that epoll_wait returned. So epoll carries a token, which is never
// used twice, and an event whose token is unknown by now is dropped.
struct EventLoop::State {
  struct Handler {
    int fd = -1;
    FdCallback callback;
  };
  using TimerKey = std::pair<Clock::time_point, TimerId>;

  UniqueFd epoll;
  UniqueFd timer;
  std::uint64_t next_token = kTimerToken + 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<Handler>> handlers;
  std::unordered_map<int, std::uint64_t> tokens;
  TimerId next_timer = 1;
  std::map<TimerKey, std::function<void()>> timers;
  std::unordered_map<TimerId, Clock::time_point> deadlines;
  std::optional<Clock::time_point> armed;
  bool quit = false;

  Result<void> Control(int operation, int fd, std::uint32_t events, std::uint64_t token) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    if (::epoll_ctl(epoll.get(), operation, fd, &event) != 0) {
      return FailErrno(errno, "epoll_ctl of descriptor {}", fd);
    }
    return {};
  }

  // Brings the timerfd to the earliest deadline, or to rest.
  Result<void> Arm() {
    std::optional<Clock::time_point> wanted;
    if (!timers.empty()) {
      wanted = timers.begin()->first.first;
    }
    if (wanted == armed) {
      return {};
    }
    itimerspec spec{};
    if (wanted) {
      const auto since_epoch = wanted->time_since_epoch();
      const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
      spec.it_value.tv_sec = seconds.count();
      spec.it_value.tv_nsec = std::chrono::nanoseconds(since_epoch - seconds).count();
    }
    if (::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0) {
      return FailErrno(errno, "timerfd_settime");
    }
    armed = wanted;
    return {};
  }

  // Runs what is due at this instant. A timer that a callback makes with no delay waits for the
  // next round, so timers cannot keep the descriptors from their turn.
  void RunTimers() {
    std::uint64_t expirations = 0;
    if (::read(timer.get(), &expirations, sizeof expirations) > 0) {
      armed.reset();
    }
    const auto now = Clock::now();
    const TimerId limit = next_timer;
    for (auto it = timers.begin(); it != timers.end() && it->first.first <= now;) {
      if (it->first.second >= limit) {
        ++it;
        continue;
      }
      auto callback = std::move(it->second);
      deadlines.erase(it->first.second);
      timers.erase(it);
      callback();
      it = timers.begin();  // the callback may have changed anything
    }
  }

  void Dispatch(const epoll_event& event) {
    const std::uint64_t token = event.data.u64;  // epoll_event is packed: no reference into it
    if (token == kTimerToken) {
      RunTimers();
      return;
    }
    const auto found = handlers.find(token);
    if (found == handlers.end()) {
      return;
    }
    const auto handler = found->second;  // keeps the callback alive should it remove itself
    handler->callback(event.events);
  }
};

EventLoop::EventLoop(std::unique_ptr<State> state) : state_(std::move(state)) {}
EventLoop::EventLoop(EventLoop&&) noexcept = default;
EventLoop& EventLoop::operator=(EventLoop&&) noexcept = default;
EventLoop::~EventLoop() = default;

Result<EventLoop> EventLoop::Create() {
  auto state = std::make_unique<State>();
  state->epoll.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!state->epoll.valid()) {
    return FailErrno(errno, "epoll_create1");
  }
  state->timer.Reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!state->timer.valid()) {
    return FailErrno(errno, "timerfd_create");
  }
  if (auto added = state->Control(EPOLL_CTL_ADD, state->timer.get(), EPOLLIN, kTimerToken);
      !added) {
    return tl::make_unexpected(added.error());
  }
  return EventLoop(std::move(state));
}

Result<void> EventLoop::Add(int fd, std::uint32_t epoll_events, FdCallback callback) {
  const std::uint64_t token = state_->next_token++;
  if (auto added = state_->Control(EPOLL_CTL_ADD, fd, epoll_events, token); !added) {
    return added;
  }
  state_->tokens[fd] = token;
  state_->handlers[token] =
      std::make_shared<State::Handler>(State::Handler{fd, std::move(callback)});
  return {};
}

Result<void> EventLoop::Modify(int fd, std::uint32_t epoll_events) {
  const auto token = state_->tokens.find(fd);
  if (token == state_->tokens.end()) {
    return Fail(ErrorCode::kNotFound, "descriptor {} is not in the event loop", fd);
  }
  return state_->Control(EPOLL_CTL_MOD, fd, epoll_events, token->second);
}

void EventLoop::Remove(int fd) {
  const auto token = state_->tokens.find(fd);
  if (token == state_->tokens.end()) {
    return;
  }
  // Fails only for a descriptor that was closed too early; it has left the epoll set then.
  (void)state_->Control(EPOLL_CTL_DEL, fd, 0, 0);
  state_->handlers.erase(token->second);
  state_->tokens.erase(token);
}

EventLoop::TimerId EventLoop::After(std::chrono::nanoseconds delay,
                                    std::function<void()> callback) {
  const TimerId id = state_->next_timer++;
  const auto deadline = Clock::now() + delay;
  state_->timers.emplace(State::TimerKey{deadline, id}, std::move(callback));
  state_->deadlines.emplace(id, deadline);
  return id;
}

void EventLoop::Cancel(TimerId id) {
  const auto deadline = state_->deadlines.find(id);
  if (deadline == state_->deadlines.end()) {
    return;
  }
  state_->timers.erase({deadline->second, id});
  state_->deadlines.erase(deadline);
}

Result<void> EventLoop::Run() {
  std::array<epoll_event, 32> events{};
  while (!state_->quit) {
    if (auto armed = state_->Arm(); !armed) {
      return armed;
    }
    const int count =
        ::epoll_wait(state_->epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) {
      return FailErrno(errno, "epoll_wait");
    }
    for (int i = 0; i < count; ++i) {
      state_->Dispatch(events[static_cast<std::size_t>(i)]);
    }
  }
  state_->quit = false;
  return {};
}

void EventLoop::Quit() { state_->quit = true; }

}  // namespace tidevm::control
