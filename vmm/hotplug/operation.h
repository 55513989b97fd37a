// One request to add or remove one vCPU, with the phases that it was seen to reach.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/vcpu_request.h"

namespace tidevm::hotplug {

/// Phases in the order in which they are reached; which kind has which is in control-plane.md.
enum class Phase {
  kRequested,
  kCreated,        ///< add: pristine descriptor, new or from the park
  kStarted,        ///< add: thread about to enter KVM_RUN
  kNotified,       ///< event raised
  kAcknowledged,   ///< the guest cleared the event
  kRegistered,     ///< add: _OST success
  kBooting,        ///< add: the vCPU left its wait for INIT and SIPI
  kOnline,         ///< add: the guest armed the vCPU's paravirtual MSRs
  kOstInProgress,  ///< remove: _OST "in progress"
  kGoingDown,      ///< remove: the guest disarmed the vCPU's paravirtual MSRs
  kEjected,        ///< remove: the guest wrote the eject bit
  kJoined,         ///< remove: thread gone
  kParked,         ///< remove: descriptor kept for the next add
};

std::string_view ToString(Phase phase);

/// Plain record; the controller writes it.
struct Operation {
  using Clock = std::chrono::steady_clock;
  struct Reached {
    Phase phase = Phase::kRequested;
    Clock::time_point when;
  };

  std::uint64_t id = 0;
  OperationKind kind = OperationKind::kAdd;
  CpuId cpu = 0;
  std::string device_id;  // add: the client's name for the vCPU, or empty
  Outcome outcome = Outcome::kPending;
  std::string reason;            // for every outcome but kPending and kDone
  std::vector<Reached> reached;  // in order of time; kRequested first
  Reached latest;  // the one heard of last, which another thread may have reached earlier
  std::chrono::milliseconds patience{};  // as asked for
  Clock::time_point deadline;            // and what it comes to; pauses of the machine push it back

  bool pending() const { return outcome == Outcome::kPending; }
  /// Whether the guest took notice since the event was last raised. Before that it answers nothing.
  bool acknowledged() const { return HasReachedSinceNotified(Phase::kAcknowledged); }
  /// Since the event was last raised: a guest reset raises it again, for another guest.
  bool HasReachedSinceNotified(Phase phase) const;
  /// Whether what the guest did at `when` can be an answer: the event was raised by then. What it
  /// did earlier, and the machine thread hears of only now, answered another operation.
  bool CanBeAnsweredAt(Clock::time_point when) const;
};

/// An _OST status in words. ACPI 6.4, 6.3.5, as far as CPU hotplug uses it.
std::string DescribeOst(std::uint32_t event, std::uint32_t status);

// _OST codes that the controller acts on.
inline constexpr std::uint32_t kOstEventDeviceCheck = 0x01;
inline constexpr std::uint32_t kOstEventEjectRequest = 0x03;
inline constexpr std::uint32_t kOstStatusSuccess = 0x00;
inline constexpr std::uint32_t kOstStatusEjectInProgress = 0x84;

}  // namespace tidevm::hotplug
