#include "tools/tidectl/metrics_text.h"

#include <gtest/gtest.h>

namespace tidevm::tidectl {
namespace {

TEST(MetricsText, IsWhatPrometheusReads) {
  const auto metrics = nlohmann::json::parse(R"({
    "operations": [{"kind": "add", "outcome": "pending", "count": 2},
                   {"kind": "add", "outcome": "done", "count": 3},
                   {"kind": "remove", "outcome": "pending", "count": 1},
                   {"kind": "remove", "outcome": "timed-out", "count": 0}],
    "phases": [{"kind": "add", "phase": "registered", "sum-ns": 1500000000, "count": 3,
                "buckets": [{"le-ns": 1000000, "count": 1}, {"le-ns": 2500000000, "count": 2}]}],
    "vcpus": [{"cpu": 0, "cpu-time-ns": 12345678901, "exits": [{"kind": "io", "count": 7}]},
              {"cpu": 5, "cpu-time-ns": 0, "exits": []}]})");
  EXPECT_EQ(MetricsText(metrics),
            R"(# HELP tidevm_operations_total Requests to add or remove a vCPU that have ended.
# TYPE tidevm_operations_total counter
tidevm_operations_total{kind="add",outcome="done"} 3
tidevm_operations_total{kind="remove",outcome="timed-out"} 0
# HELP tidevm_operations_pending Requests to add or remove a vCPU that have not ended.
# TYPE tidevm_operations_pending gauge
tidevm_operations_pending 3
# HELP tidevm_operation_phase_seconds Time from the request to each phase of its operation.
# TYPE tidevm_operation_phase_seconds histogram
tidevm_operation_phase_seconds_bucket{kind="add",phase="registered",le="0.001"} 1
tidevm_operation_phase_seconds_bucket{kind="add",phase="registered",le="2.5"} 2
tidevm_operation_phase_seconds_bucket{kind="add",phase="registered",le="+Inf"} 3
tidevm_operation_phase_seconds_sum{kind="add",phase="registered"} 1.5
tidevm_operation_phase_seconds_count{kind="add",phase="registered"} 3
# HELP tidevm_vcpu_exits_total Exits from the guest to tidevm.
# TYPE tidevm_vcpu_exits_total counter
tidevm_vcpu_exits_total{vcpu="0",kind="io"} 7
# HELP tidevm_vcpu_seconds_total CPU time of the vCPU's threads.
# TYPE tidevm_vcpu_seconds_total counter
tidevm_vcpu_seconds_total{vcpu="0"} 12.345678901
tidevm_vcpu_seconds_total{vcpu="5"} 0
)");
}

TEST(MetricsText, LabelsAreEscaped) {
  const auto metrics =
      nlohmann::json{{"operations", {{{"kind", "a\"b\\c\nd"}, {"outcome", "done"}, {"count", 1}}}}};
  EXPECT_NE(MetricsText(metrics).find(R"({kind="a\"b\\c\nd",outcome="done"} 1)"),
            std::string::npos);
}

TEST(MetricsText, OfAVmThatCountsNothingIsStillWellFormed) {
  EXPECT_NE(MetricsText(nlohmann::json::object()).find("\ntidevm_operations_pending 0\n"),
            std::string::npos);
}

}  // namespace
}  // namespace tidevm::tidectl
