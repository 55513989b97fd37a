#include "vmm/hotplug/operation_log.h"

#include <algorithm>
#include <utility>

namespace tidevm::hotplug {

Operation& OperationLog::Begin(OperationKind kind, CpuId cpu, std::string device_id) {
  ForgetOldest();
  Operation& operation = operations_.emplace_back();
  operation.id = ++last_id_;
  operation.kind = kind;
  operation.cpu = cpu;
  operation.device_id = std::move(device_id);
  Reach(operation, Phase::kRequested);
  return operation;
}

void OperationLog::Reach(Operation& operation, Phase phase, Operation::Clock::time_point when) {
  const auto later =
      std::ranges::upper_bound(operation.reached, when, {}, &Operation::Reached::when);
  operation.reached.insert(later, {.phase = phase, .when = when});
  operation.latest = {.phase = phase, .when = when};
  observer_(operation);
}

void OperationLog::End(Operation& operation, Outcome outcome, std::string reason) {
  operation.outcome = outcome;
  operation.reason = std::move(reason);
  observer_(operation);
}

void OperationLog::Complete(Operation& operation, Phase last, Operation::Clock::time_point when) {
  operation.outcome = Outcome::kDone;
  Reach(operation, last, when);
}

void OperationLog::ForgetOldest() {
  if (operations_.size() < remembered_) {
    return;
  }
  const auto ended = std::ranges::find_if_not(operations_, &Operation::pending);
  if (ended != operations_.end()) {
    operations_.erase(ended);
  }
}

}  // namespace tidevm::hotplug
