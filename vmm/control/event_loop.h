// The machine thread's epoll loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::control {

/// One epoll instance with callbacks. Everything here belongs to the thread that calls Run().
/// Callbacks may add and remove any descriptor or timer, their own included; one that was removed
/// is not called any more, not even for what the kernel had reported already.
class EventLoop {
 public:
  using FdCallback = std::function<void(std::uint32_t epoll_events)>;
  using TimerId = std::uint64_t;  // never 0

  static Result<EventLoop> Create();
  EventLoop(EventLoop&&) noexcept;
  EventLoop& operator=(EventLoop&&) noexcept;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  /// Level-triggered. The loop does not own `fd`; Remove() before it is closed.
  Result<void> Add(int fd, std::uint32_t epoll_events, FdCallback callback);
  Result<void> Modify(int fd, std::uint32_t epoll_events);
  void Remove(int fd);

  /// Calls back once, after `delay` of CLOCK_MONOTONIC; never from within After(). Timers that are
  /// due together run in the order of their deadlines, then in the order they were made. No wake-up
  /// happens unless a timer is due (one timerfd, armed for the next).
  TimerId After(std::chrono::nanoseconds delay, std::function<void()> callback);
  /// Does nothing for a timer that has run or was cancelled.
  void Cancel(TimerId id);

  /// Runs until Quit(); what the kernel has reported by then is dispatched first. A Quit() before
  /// Run() makes it return at once.
  Result<void> Run();
  void Quit();

 private:
  struct State;
  explicit EventLoop(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidevm::control
