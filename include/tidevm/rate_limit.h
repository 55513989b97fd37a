// How often something may happen.
#pragma once

#include <algorithm>
#include <chrono>

namespace tidevm {

/// A token bucket: `burst` times at once, and from then on once every `interval`; what is not used
/// is saved, up to a burst. One thread.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  constexpr RateLimit(unsigned burst, Clock::duration interval)
      : burst_(burst), interval_(interval), left_(burst) {}

  /// Whether it may happen at `now`; then it counts as having happened.
  bool Take(Clock::time_point now) {
    Save(now);
    if (left_ == 0) {
      return false;
    }
    --left_;
    return true;
  }

  /// The moment from which Take() says yes.
  Clock::time_point Next(Clock::time_point now) {
    Save(now);
    return left_ > 0 ? now : saved_until_ + interval_;
  }

  /// A new burst.
  void Renew() { left_ = burst_; }

 private:
  void Save(Clock::time_point now) {
    if (left_ == burst_) {
      saved_until_ = now;  // nothing is saved beyond a burst
      return;
    }
    const auto intervals = (now - saved_until_) / interval_;
    if (intervals >= static_cast<Clock::rep>(burst_ - left_)) {
      left_ = burst_;
      saved_until_ = now;
    } else if (intervals > 0) {
      left_ += static_cast<unsigned>(intervals);
      saved_until_ += intervals * interval_;
    }
  }

  unsigned burst_;
  Clock::duration interval_;
  unsigned left_;
  Clock::time_point saved_until_{};
};

}  // namespace tidevm
