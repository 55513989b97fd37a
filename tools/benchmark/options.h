// The command line of hotplug-bench. tools/bench is what people call.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tidevm/result.h"
#include "tools/benchmark/system.h"

namespace tidevm::benchmark {

struct Options {
  Programs programs;
  std::string output;
  std::uint32_t memory_mebibytes = 512;
  unsigned rounds = 1;
  std::uint32_t cycle = 8;            // vCPUs that come one by one
  bool again = false;                 // and a second time
  bool less_qemu = false;             // which takes most of the time: of QEMU, the cycle alone
  std::vector<std::uint32_t> bursts;  // sizes that are reached at once
  std::vector<std::uint32_t> maxima;  // values of `max` to boot with, besides cycle's
  std::chrono::milliseconds idle{};
};

/// Errors are usage errors: one sentence with the value and the remedy.
Result<Options> ParseOptions(const std::vector<std::string>& words);

std::string UsageText();

}  // namespace tidevm::benchmark
