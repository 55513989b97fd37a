// query-metrics' answer as Prometheus reads it.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tidevm::tidectl {

/// Text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): one block of
/// # HELP, # TYPE and samples for each metric. Times in seconds. A member that is missing counts as
/// empty: the VM may be of another version.
std::string MetricsText(const nlohmann::json& metrics);

}  // namespace tidevm::tidectl
