// The operations of a machine: all that are pending, and those that ended lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <utility>

#include "tidevm/ids.h"
#include "vmm/hotplug/operation.h"

namespace tidevm::hotplug {

/// Machine thread only. References stay valid while an operation is pending.
class OperationLog {
 public:
  /// Called after every change: a phase was reached, or the operation ended.
  using Observer = std::function<void(const Operation&)>;
  /// Up to `remembered` operations are kept, and never less than all that are pending.
  OperationLog(std::size_t remembered, Observer observer)
      : remembered_(remembered), observer_(std::move(observer)) {}

  /// A new operation, in its phase kRequested.
  Operation& Begin(OperationKind kind, CpuId cpu, std::string device_id = {});
  /// `when` is the moment itself, on whatever thread it was: phases stay in order of time.
  void Reach(Operation& operation, Phase phase,
             Operation::Clock::time_point when = Operation::Clock::now());
  /// Ends short of its goal, or without anything left to do.
  void End(Operation& operation, Outcome outcome, std::string reason = {});
  /// Ends done, by reaching its last phase: one change for the observer.
  void Complete(Operation& operation, Phase last,
                Operation::Clock::time_point when = Operation::Clock::now());

  /// Oldest first.
  const std::list<Operation>& all() const { return operations_; }

 private:
  void ForgetOldest();

  const std::size_t remembered_;
  Observer observer_;
  std::list<Operation> operations_;  // a list: stable addresses
  std::uint64_t last_id_ = 0;
};

}  // namespace tidevm::hotplug
