// Adding and removing vCPUs, measured: the same requests and the same observer for every system.
//
// Times are of the arrival here of what proves the step: the guest's own line for "online", the
// ACPI_DEVICE_OST event for "registered", DEVICE_DELETED for "deleted" (both VMMs send it when the
// vCPU's thread has ended). What tidevm says of its phases is kept beside that.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tidevm/result.h"
#include "tools/benchmark/hotplug_progress.h"
#include "tools/benchmark/measured_vm.h"

namespace tidevm::benchmark {

/// The vCPUs of one VM, and how to ask for them. One thread.
class VcpuRequests {
 public:
  /// Asks where each possible CPU is (query-hotpluggable-cpus).
  static Result<VcpuRequests> Of(MeasuredVm& vm);

  /// `from` vCPUs are there, `to` shall be: one device_add or device_del each, and in tidevm one
  /// set-vcpus where it is about more than one. Returns when all that belongs to it is over. The
  /// sample: {"from", "to", "ns": {STEP: TIME}, "guest-online-ns": [...], "operations": [...], and
  /// what SpentSince() gives}.
  Result<Json> Add(std::uint32_t from, std::uint32_t to);
  Result<Json> Remove(std::uint32_t from, std::uint32_t to);

 private:
  using Complete = std::function<bool(const HotplugProgress&)>;
  /// A change that was asked for, from its request on.
  struct Change {
    MeasuredVm::Mark seen;  // up to where `progress` has taken notice
    Clock::time_point requested;
    HotplugProgress progress;
    Json sample;
  };

  VcpuRequests(MeasuredVm& vm, std::vector<Json> places) : vm_(&vm), places_(std::move(places)) {}
  std::vector<Json> Commands(std::uint32_t from, std::uint32_t to) const;
  Result<Change> Measure(std::uint32_t from, std::uint32_t to, const Complete& measured,
                         const Complete& over);
  Complete Over(std::uint32_t count) const;
  Result<void> WaitFor(Change& change, const Complete& complete);
  Result<Json> Operations(std::uint32_t count) const;

  MeasuredVm* vm_;
  std::vector<Json> places_;  // by vCPU
};

}  // namespace tidevm::benchmark
