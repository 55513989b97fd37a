#include "tools/benchmark/plan.h"

#include <algorithm>
#include <utility>

namespace tidevm::benchmark {
namespace {

struct Scenario {
  std::string name;
  std::vector<System> systems;
  std::function<Result<void>(const Bench&, System)> run;
};

std::vector<Scenario> Scenarios(const Options& options) {
  const std::vector<System> both = {System::kTidevm, System::kQemuQ35};
  const std::vector<System> others = options.less_qemu ? std::vector{System::kTidevm} : both;
  std::vector<Scenario> all;
  const CycleSettings cycle{.max = options.cycle, .again = options.again, .idle = options.idle};
  all.push_back({"cycle", both, [cycle](const Bench& bench, System system) {
                   return RunCycle(bench, system, cycle);
                 }});
  all.push_back({"floor", others, [cycle](const Bench& bench, System system) {
                   return RunFloor(bench, system, cycle.max, cycle.again);
                 }});
  for (const std::uint32_t to : options.bursts) {
    all.push_back({fmt::format("burst {}", to), others,
                   [to, max = std::max(to, options.cycle)](const Bench& bench, System system) {
                     return RunBurst(bench, system, to, max);
                   }});
  }
  if (!options.less_qemu) {  // it has no CPU hotplug, so there is nothing but its boot to compare
    all.push_back({fmt::format("boot max={}", options.cycle),
                   {System::kQemuMicrovm},
                   [max = options.cycle](const Bench& bench, System system) {
                     return RunBoot(bench, system, max);
                   }});
  }
  for (const std::uint32_t max : options.maxima) {
    all.push_back(
        {fmt::format("boot max={}", max), others,
         [max](const Bench& bench, System system) { return RunBoot(bench, system, max); }});
  }
  return all;
}

}  // namespace

std::vector<Step> MakePlan(const Options& options) {
  std::vector<Step> plan;
  for (unsigned round = 1; round <= options.rounds; ++round) {
    for (const Scenario& scenario : Scenarios(options)) {
      std::vector<System> systems = scenario.systems;
      if (round % 2 == 0) {
        std::ranges::reverse(systems);
      }
      for (const System system : systems) {
        plan.push_back({.round = round,
                        .system = system,
                        .scenario = scenario.name,
                        .run = [run = scenario.run, system](const Bench& bench) {
                          return run(bench, system);
                        }});
      }
    }
  }
  return plan;
}

}  // namespace tidevm::benchmark
