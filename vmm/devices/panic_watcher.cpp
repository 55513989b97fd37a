#include "vmm/devices/panic_watcher.h"

#include <algorithm>

namespace tidevm::devices {
namespace {

constexpr std::string_view kPanic = "Kernel panic - not syncing: ";
constexpr std::string_view kEnd = "---[ end Kernel panic - not syncing";
constexpr std::string_view kEndReason = ": ";
constexpr std::string_view kEndTail = " ]---";

void SkipBlanks(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
}

/// Drops one "<N>", and any number of "[...]" of digits, dots, blanks and the T or C of a task or
/// CPU (CONFIG_PRINTK_CALLER), with the blanks after each.
std::string_view WithoutPrefix(std::string_view line) {
  const auto drop = [&line](char open, char close, std::string_view between) {
    if (!line.starts_with(open)) {
      return false;
    }
    const std::size_t end = line.find_first_not_of(between, 1);
    if (end == std::string_view::npos || end == 1 || line[end] != close) {
      return false;
    }
    line.remove_prefix(end + 1);
    SkipBlanks(line);
    return true;
  };
  drop('<', '>', "0123456789");
  while (drop('[', ']', "0123456789. TC")) {
  }
  return line;
}

}  // namespace

void PanicWatcher::Feed(std::span<const std::byte> output) {
  for (const std::byte value : output) {
    const char character = std::to_integer<char>(value);
    if (state_ == State::kEnded) {
      Reset();
    }
    if (character == '\n') {
      FinishLine();
      line_.clear();
    } else if (line_.size() < kLongestLine) {
      line_.push_back(character);
    }
  }
}

void PanicWatcher::FinishLine() {
  std::string_view line = line_;
  while (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  while (line.starts_with('\r')) {
    line.remove_prefix(1);
  }
  const std::string_view whole = line;
  line = WithoutPrefix(line);
  const bool stamped = line.size() != whole.size();
  if (line.starts_with(kPanic)) {
    state_ = State::kPanicSeen;
    reason_ = line.substr(kPanic.size());
    reason_stamped_ = stamped;
    return;
  }
  if (!line.starts_with(kEnd)) {
    // A kernel that stamps its lines stamps all of them: somebody else is alive and printing.
    if (state_ == State::kPanicSeen && reason_stamped_ && !stamped && !line.empty()) {
      state_ = State::kNone;
      reason_.clear();
    }
    return;
  }
  // The first line may have been lost at the end of a prompt, so this one is enough.
  if (state_ == State::kNone) {
    line.remove_prefix(kEnd.size());
    if (line.starts_with(kEndReason)) {
      line.remove_prefix(kEndReason.size());
    }
    if (line.ends_with(kEndTail)) {
      line.remove_suffix(kEndTail.size());
    }
    reason_ = line;
  }
  state_ = State::kEnded;
}

std::optional<std::string> PanicWatcher::reason() const {
  if (state_ == State::kNone) {
    return std::nullopt;
  }
  return reason_;
}

void PanicWatcher::Reset() {
  state_ = State::kNone;
  line_.clear();
  reason_.clear();
}

}  // namespace tidevm::devices
