// Recognises a Linux kernel's panic from what it prints on the console.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidevm::devices {

/// For a guest that panics before it has a pvpanic driver: no root file system, no init. Looks at
/// whole lines, after "<N>" and "[  12.345678]" in front of them:
///   Kernel panic - not syncing: REASON
///   ---[ end Kernel panic - not syncing: REASON ]---
/// The second is the last that such a kernel prints before it stops for good. A log that somebody
/// prints has the same lines, but something follows: so kEnded holds only until the next byte of
/// output, and whoever acts on it should have waited a moment in which the state did not change.
/// Source: panic() in Linux's kernel/panic.c; both lines are the same from 5.10 (and before) on.
///
/// No lock: one thread. Keeps at most one line's beginning and one reason.
class PanicWatcher {
 public:
  enum class State {
    kNone,
    kPanicSeen,  ///< the first line; a kernel with panic=N ends without the second
    kEnded,      ///< the second, and nothing since
  };

  void Feed(std::span<const std::byte> output);

  State state() const { return state_; }
  bool Ended() const { return state_ == State::kEnded; }
  /// The kernel's REASON, in any state but kNone.
  std::optional<std::string> reason() const;

  /// The guest was reset.
  void Reset();

 private:
  static constexpr std::size_t kLongestLine = 512;  // what is longer is cut

  void FinishLine();

  State state_ = State::kNone;
  std::string line_;
  std::string reason_;
  bool reason_stamped_ = false;  // its line had a time stamp
};

}  // namespace tidevm::devices
