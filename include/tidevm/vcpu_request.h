// The words in which the hotplug controller and its clients speak of a request for a vCPU.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidevm {

enum class OperationKind { kAdd, kRemove };

/// How an operation ended; kPending until it did.
enum class Outcome {
  kPending,
  kDone,       ///< proved: online (registered, where the guest never says more), or parked
  kRefused,    ///< by the guest, through _OST
  kFailed,     ///< by KVM or the host
  kCancelled,  ///< by its client, by a later request, or by a guest reset
  kTimedOut,   ///< its deadline came first; the reason says how far it got
};

/// From request to the end of patience; nullopt: the machine's default (kDefaultDeadline).
using Deadline = std::optional<std::chrono::milliseconds>;
inline constexpr std::chrono::milliseconds kDefaultDeadline = std::chrono::seconds(60);
inline constexpr std::chrono::milliseconds kLongestDeadline = std::chrono::hours(24);

/// What the guest said through _OST: ACPI 6.4, 6.3.5.
struct OstReport {
  std::uint32_t event = 0;
  std::uint32_t status = 0;
};

inline std::string_view ToString(OperationKind kind) {
  return kind == OperationKind::kAdd ? "add" : "remove";
}

inline std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPending:
      return "pending";
    case Outcome::kDone:
      return "done";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kTimedOut:
      return "timed-out";
  }
  return "?";
}

}  // namespace tidevm
