// The operations of a machine: all that are pending, and those that ended lately.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tidevm/ids.h"
#include "vmm/hotplug/operation.h"
#include "vmm/hotplug/operation_metrics.h"

namespace tidevm::hotplug {

/// Machine thread only. References stay valid while an operation is pending.
class OperationLog {
 public:
  using Clock = Operation::Clock;
  /// Called after every change: a phase was reached, or the operation ended.
  using Observer = std::function<void(const Operation&)>;
  /// Up to `remembered` operations are kept, and never less than all that are pending.
  OperationLog(std::size_t remembered, Observer observer)
      : remembered_(remembered), observer_(std::move(observer)) {}

  /// A new operation, in its phase kRequested.
  Operation& Begin(OperationKind kind, CpuId cpu, std::string device_id = {},
                   Deadline deadline = {});
  /// `when` is the moment itself, on whatever thread it was: phases stay in order of time.
  void Reach(Operation& operation, Phase phase, Clock::time_point when = Clock::now());
  /// Ends short of its goal, or without anything left to do.
  void End(Operation& operation, Outcome outcome, std::string reason = {});
  /// Ends done, by reaching its last phase: one change for the observer.
  void Complete(Operation& operation, Phase last, Clock::time_point when = Clock::now());

  /// Null where no operation of this id is pending.
  Operation* FindPending(std::uint64_t id);
  /// Counts from now on, as if it had just been asked for.
  static void RenewDeadline(Operation& operation, Deadline deadline);
  /// No deadline any more: what is left to do is the host's.
  static void DropDeadline(Operation& operation) { operation.deadline = Clock::time_point::max(); }
  /// The earliest of all that are pending.
  std::optional<Clock::time_point> next_deadline() const;
  std::vector<Operation*> Overdue(Clock::time_point now);
  /// The machine was paused for so long.
  void PushDeadlinesBack(Clock::duration pause);

  /// Oldest first.
  const std::list<Operation>& all() const { return operations_; }
  const OperationMetrics& metrics() const { return metrics_; }

 private:
  void Note(Operation& operation, Phase phase, Clock::time_point when);
  void ForgetOldest();

  const std::size_t remembered_;
  Observer observer_;
  std::list<Operation> operations_;  // a list: stable addresses
  std::uint64_t last_id_ = 0;
  OperationMetrics metrics_;
};

}  // namespace tidevm::hotplug
