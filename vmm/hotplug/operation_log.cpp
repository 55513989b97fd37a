#include "vmm/hotplug/operation_log.h"

#include <algorithm>
#include <utility>

namespace tidevm::hotplug {

Operation& OperationLog::Begin(OperationKind kind, CpuId cpu, std::string device_id,
                               Deadline deadline) {
  ForgetOldest();
  Operation& operation = operations_.emplace_back();
  operation.id = ++last_id_;
  operation.kind = kind;
  operation.cpu = cpu;
  operation.device_id = std::move(device_id);
  RenewDeadline(operation, deadline);
  Reach(operation, Phase::kRequested);
  return operation;
}

void OperationLog::Note(Operation& operation, Phase phase, Clock::time_point when) {
  if (!operation.reached.empty()) {  // what was so before the request, is so from the request on
    when = std::max(when, operation.reached.front().when);
  }
  const auto later =
      std::ranges::upper_bound(operation.reached, when, {}, &Operation::Reached::when);
  operation.reached.insert(later, {.phase = phase, .when = when});
  operation.latest = {.phase = phase, .when = when};
  metrics_.CountPhase(operation.kind, phase, when - operation.reached.front().when);
}

void OperationLog::Reach(Operation& operation, Phase phase, Clock::time_point when) {
  Note(operation, phase, when);
  observer_(operation);
}

void OperationLog::End(Operation& operation, Outcome outcome, std::string reason) {
  operation.outcome = outcome;
  operation.reason = std::move(reason);
  metrics_.CountEnd(operation.kind, outcome);
  observer_(operation);
}

void OperationLog::Complete(Operation& operation, Phase last, Clock::time_point when) {
  Note(operation, last, when);
  End(operation, Outcome::kDone);
}

Operation* OperationLog::FindPending(std::uint64_t id) {
  const auto found = std::ranges::find_if(operations_, [id](const Operation& operation) {
    return operation.id == id && operation.pending();
  });
  return found == operations_.end() ? nullptr : &*found;
}

void OperationLog::RenewDeadline(Operation& operation, Deadline deadline) {
  operation.patience = deadline.value_or(kDefaultDeadline);
  operation.deadline = Clock::now() + operation.patience;
}

std::optional<OperationLog::Clock::time_point> OperationLog::next_deadline() const {
  std::optional<Clock::time_point> earliest;
  for (const Operation& operation : operations_) {
    if (operation.pending() && operation.deadline != Clock::time_point::max() &&
        operation.deadline < earliest.value_or(Clock::time_point::max())) {
      earliest = operation.deadline;
    }
  }
  return earliest;
}

std::vector<Operation*> OperationLog::Overdue(Clock::time_point now) {
  std::vector<Operation*> overdue;
  for (Operation& operation : operations_) {
    if (operation.pending() && operation.deadline <= now) {
      overdue.push_back(&operation);
    }
  }
  return overdue;
}

void OperationLog::PushDeadlinesBack(Clock::duration pause) {
  for (Operation& operation : operations_) {
    if (operation.pending() && operation.deadline != Clock::time_point::max()) {
      operation.deadline += pause;
    }
  }
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
