#include "vmm/control/metrics_json.h"

#include <algorithm>
#include <numeric>

namespace tidevm::control {
namespace {

Json ToJson(const OperationCount& count) {
  return {
      {"kind", ToString(count.kind)}, {"outcome", ToString(count.outcome)}, {"count", count.count}};
}

Json ToJson(const PhaseLatency& phase) {
  const LatencyHistogram& latency = phase.latency;
  Json buckets = Json::array();
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < std::min(latency.bounds.size(), latency.counts.size()); ++i) {
    cumulative += latency.counts[i];
    buckets.push_back({{"le-ns", latency.bounds[i].count()}, {"count", cumulative}});
  }
  return {
      {"kind", ToString(phase.kind)},
      {"phase", phase.phase},
      {"sum-ns", latency.sum.count()},
      {"count", std::accumulate(latency.counts.begin(), latency.counts.end(), std::uint64_t{0})},
      {"buckets", std::move(buckets)}};
}

Json ToJson(const ExitCount& exits) { return {{"kind", exits.kind}, {"count", exits.count}}; }

template <typename T>
Json ListOf(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) {
    list.push_back(ToJson(value));
  }
  return list;
}

Json ToJson(const VcpuMetrics& vcpu) {
  return {{"cpu", vcpu.cpu}, {"cpu-time-ns", vcpu.cpu_time.count()}, {"exits", ListOf(vcpu.exits)}};
}

}  // namespace

Json ToJson(const Metrics& metrics) {
  Json vcpus = Json::array();
  for (const VcpuMetrics& vcpu : metrics.vcpus) {
    vcpus.push_back(ToJson(vcpu));
  }
  return {{"operations", ListOf(metrics.operations)},
          {"phases", ListOf(metrics.phases)},
          {"vcpus", std::move(vcpus)}};
}

}  // namespace tidevm::control
