#include "tools/tidectl/watch_model.h"

#include <algorithm>

namespace tidevm::tidectl {
namespace {

std::chrono::nanoseconds CpuTime(const Json& vcpu) {
  return std::chrono::nanoseconds(vcpu.value("cpu-time-ns", std::int64_t{0}));
}

bool IsPending(const Json& operation) { return operation.value("outcome", "") == "pending"; }

}  // namespace

void ShareMeter::Sample(const Json& vcpus, Time now) {
  const std::chrono::duration<double> elapsed = now - when_;
  std::map<CpuId, Reading> readings;
  shares_.clear();
  for (const Json& vcpu : vcpus) {
    const CpuId cpu = vcpu.value("cpu", CpuId{0});
    const Reading reading{.cpu_time = CpuTime(vcpu),
                          .thread = vcpu.value("thread-id", std::int64_t{0})};
    const auto before = last_.find(cpu);
    if (before != last_.end() && reading.thread != 0 && before->second.thread == reading.thread &&
        elapsed.count() > 0) {
      const std::chrono::duration<double> used = reading.cpu_time - before->second.cpu_time;
      shares_[cpu] = std::clamp(used / elapsed, 0.0, 1.0);
    }
    readings[cpu] = reading;
  }
  last_ = std::move(readings);
  when_ = now;
}

std::optional<double> ShareMeter::ShareOf(CpuId cpu) const {
  const auto found = shares_.find(cpu);
  return found == shares_.end() ? std::nullopt : std::optional(found->second);
}

WatchModel ToWatchModel(const Json& status, const Json& name, const Json& vcpus,
                        const Json& operations, const ShareMeter& meter) {
  WatchModel model{.name = name.value("name", "-"), .status = status.value("status", "-")};
  std::map<CpuId, const Json*> pending;
  for (const Json& operation : operations) {
    if (IsPending(operation)) {
      pending[operation.value("cpu", CpuId{0})] = &operation;
    }
  }
  for (const Json& vcpu : vcpus) {
    WatchedCpu cpu{.cpu = vcpu.value("cpu", CpuId{0}),
                   .wanted = vcpu.value("wanted", false),
                   .state = vcpu.value("state", "-"),
                   .thread = vcpu.contains("thread-id") ? vcpu["thread-id"].dump() : "-",
                   .registered = vcpu.value("registered", "-"),
                   .online = vcpu.value("online", "-"),
                   .cpu_time = CpuTime(vcpu)};
    cpu.share = meter.ShareOf(cpu.cpu);
    if (const auto found = pending.find(cpu.cpu); found != pending.end()) {
      const Json phases = found->second->value("phases", Json::array());
      cpu.pending_kind = found->second->value("kind", "?");
      cpu.pending_phase = phases.empty() ? "?" : phases.back().value("phase", "?");
    }
    model.cpus.push_back(std::move(cpu));
  }
  return model;
}

Json ToSnapshot(const Json& status, const Json& vcpus, const Json& operations) {
  Json pending = Json::array();
  std::copy_if(operations.begin(), operations.end(), std::back_inserter(pending), IsPending);
  return {{"status", status.value("status", "-")}, {"vcpus", vcpus}, {"operations", pending}};
}

bool Differ(Json before, Json after) {
  for (Json* const snapshot : {&before, &after}) {
    if (snapshot->is_object()) {
      for (Json& vcpu : (*snapshot)["vcpus"]) {
        vcpu.erase("cpu-time-ns");
      }
    }
  }
  return before != after;
}

}  // namespace tidevm::tidectl
