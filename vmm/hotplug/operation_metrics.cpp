#include "vmm/hotplug/operation_metrics.h"

#include <algorithm>

namespace tidevm::hotplug {
namespace {

constexpr std::array kAddPhases = {Phase::kRequested, Phase::kCreated,      Phase::kStarted,
                                   Phase::kNotified,  Phase::kAcknowledged, Phase::kRegistered,
                                   Phase::kBooting,   Phase::kOnline};
constexpr std::array kRemovePhases = {
    Phase::kRequested, Phase::kNotified, Phase::kAcknowledged, Phase::kOstInProgress,
    Phase::kGoingDown, Phase::kEjected,  Phase::kJoined,       Phase::kParked};

}  // namespace

std::span<const Phase> PhasesOf(OperationKind kind) {
  if (kind == OperationKind::kAdd) {
    return kAddPhases;
  }
  return kRemovePhases;
}

void OperationMetrics::CountPhase(OperationKind kind, Phase phase,
                                  std::chrono::nanoseconds since_request) {
  Latency& latency = latencies_[{kind, phase}];
  const auto bound = std::ranges::lower_bound(
      kLatencyBounds, since_request, {}, [](auto each) { return std::chrono::nanoseconds(each); });
  ++latency.counts.at(static_cast<std::size_t>(bound - kLatencyBounds.begin()));
  latency.sum += since_request;
}

std::uint64_t OperationMetrics::ended(OperationKind kind, Outcome outcome) const {
  const auto found = ended_.find({kind, outcome});
  return found == ended_.end() ? 0 : found->second;
}

OperationMetrics::Latency OperationMetrics::latency(OperationKind kind, Phase phase) const {
  const auto found = latencies_.find({kind, phase});
  return found == latencies_.end() ? Latency{} : found->second;
}

}  // namespace tidevm::hotplug
