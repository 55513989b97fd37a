// Counts and latencies of operations, over the life of the process.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "tidevm/vcpu_request.h"
#include "vmm/hotplug/operation.h"

namespace tidevm::hotplug {

/// Upper bounds of the latency classes; a last class, without a bound, has all the rest.
inline constexpr std::array<std::chrono::microseconds, 18> kLatencyBounds = {
    std::chrono::microseconds(100), std::chrono::microseconds(250),  std::chrono::microseconds(500),
    std::chrono::milliseconds(1),   std::chrono::microseconds(2500), std::chrono::milliseconds(5),
    std::chrono::milliseconds(10),  std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
    std::chrono::milliseconds(100), std::chrono::milliseconds(250),  std::chrono::milliseconds(500),
    std::chrono::seconds(1),        std::chrono::milliseconds(2500), std::chrono::seconds(5),
    std::chrono::seconds(10),       std::chrono::seconds(30),        std::chrono::seconds(60)};

/// The phases that operations of a kind go through, in the order in which they are due.
std::span<const Phase> PhasesOf(OperationKind kind);

class OperationMetrics {
 public:
  struct Latency {
    std::array<std::uint64_t, kLatencyBounds.size() + 1> counts{};
    std::chrono::nanoseconds sum{};
  };

  void CountPhase(OperationKind kind, Phase phase, std::chrono::nanoseconds since_request);
  void CountEnd(OperationKind kind, Outcome outcome) { ++ended_[{kind, outcome}]; }

  std::uint64_t ended(OperationKind kind, Outcome outcome) const;
  Latency latency(OperationKind kind, Phase phase) const;

 private:
  std::map<std::pair<OperationKind, Outcome>, std::uint64_t> ended_;
  std::map<std::pair<OperationKind, Phase>, Latency> latencies_;
};

}  // namespace tidevm::hotplug
