// On what a run was made: every figure says so.
#pragma once

#include <nlohmann/json.hpp>

namespace tidevm::benchmark {

/// {"kind": "emulated" | "nested" | "hardware", "cpus", "kernel", "processor", "memory-mib"}
nlohmann::json HostFacts();

}  // namespace tidevm::benchmark
