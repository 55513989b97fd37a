#include "tools/benchmark/usage.h"

#include <utility>

namespace tidevm::benchmark {
namespace {

using guest_tests::CpuTime;

std::optional<CpuTime> CpuTimeOf(const MeasuredVm& vm) {
  const auto time = guest_tests::ReadCpuTime(vm.pid());
  return time ? std::optional(*time) : std::nullopt;
}

/// Of all vCPUs together.
Result<std::optional<KvmCounters>> OwnExits(MeasuredVm& vm) {
  if (vm.system() != System::kTidevm) {
    return std::nullopt;
  }
  const auto metrics = vm.Execute("query-metrics");
  if (!metrics) {
    return tl::make_unexpected(metrics.error());
  }
  KvmCounters sum;
  for (const Json& vcpu : (*metrics)["vcpus"]) {
    for (const Json& exits : vcpu["exits"]) {
      sum[exits["kind"]] += exits["count"].get<std::uint64_t>();
    }
  }
  return sum;
}

}  // namespace

Result<Usage> LookBefore(MeasuredVm& vm) {
  auto own_exits = OwnExits(vm);
  if (!own_exits) {
    return tl::make_unexpected(std::move(own_exits.error()));
  }
  Usage usage;
  usage.own_exits = std::move(*own_exits);
  usage.kvm = ReadKvmCounters(vm.pid());
  usage.cpu_time = CpuTimeOf(vm);
  return usage;
}

Result<Json> SpentSince(MeasuredVm& vm, const Usage& before) {
  const auto cpu_time = CpuTimeOf(vm);
  const auto kvm = ReadKvmCounters(vm.pid());
  const auto own_exits = OwnExits(vm);
  if (!own_exits) {
    return tl::make_unexpected(own_exits.error());
  }
  Json spent = Json::object();
  if (before.cpu_time && cpu_time) {
    spent["cpu-ns"] = {{"vcpus", (cpu_time->vcpus() - before.cpu_time->vcpus()).count()},
                       {"others", (cpu_time->others - before.cpu_time->others).count()}};
  }
  if (before.kvm && kvm) {
    spent["kvm"] = Difference(*before.kvm, *kvm);
  }
  if (before.own_exits && *own_exits) {
    spent["exits"] = Difference(*before.own_exits, **own_exits);
  }
  return spent;
}

}  // namespace tidevm::benchmark
