// The machine's counters as query-metrics shows them.
#pragma once

#include "vmm/control/machine_control.h"
#include "vmm/control/qmp_message.h"

namespace tidevm::control {

/// {"operations", "phases", "vcpus"}. Buckets are cumulative, as Prometheus has them: "count" of a
/// bucket is how many took at most "le-ns"; that of the phase is the bucket without a bound.
Json ToJson(const Metrics& metrics);

}  // namespace tidevm::control
