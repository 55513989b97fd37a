// What is run, and in what order.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tidevm/result.h"
#include "tools/benchmark/options.h"
#include "tools/benchmark/scenarios.h"

namespace tidevm::benchmark {

/// One VM's worth.
struct Step {
  unsigned round = 1;
  System system = System::kTidevm;
  std::string scenario;  // "cycle", "floor", "burst 8", "boot max=64"
  std::function<Result<void>(const Bench&)> run;
};

/// Round after round; in each, scenario after scenario; in each of those the systems one after the
/// other, and the other way round in every second round: what drifts, drifts for both.
std::vector<Step> MakePlan(const Options& options);

}  // namespace tidevm::benchmark
