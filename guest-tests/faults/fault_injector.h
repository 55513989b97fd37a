// The test's end of the fault shim.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "guest-tests/faults/fault_table.h"
#include "tidevm/result.h"

namespace tidevm::guest_tests {

/// A table of rules, and what a tidevm must be started with to obey them. Rules may come and go
/// while it runs. One thread.
class FaultInjector {
 public:
  /// Makes the table's file in `directory`. TIDEVM_FAULT_SHIM names the shim.
  static Result<FaultInjector> Create(const std::string& directory);

  /// "NAME=value" each.
  const std::vector<std::string>& environment() const { return environment_; }

  void Arm(const Fault& fault);
  /// No rule any more. The answer is how many calls failed since the last time.
  std::uint32_t Disarm();

 private:
  struct Unmap {
    void operator()(FaultTable* table) const;
  };
  FaultInjector() = default;

  std::unique_ptr<FaultTable, Unmap> table_;
  std::vector<std::string> environment_;
};

}  // namespace tidevm::guest_tests
