// What clients of the control socket ask about vCPUs, and ask for.
#include <algorithm>
#include <utility>

#include "vmm/machine/control_types.h"
#include "vmm/machine/machine.h"

namespace tidevm::machine {

control::MachineInfo Machine::info() const {
  return {.name = options_.name,
          .boot_cpus = options_.cpus.boot,
          .max_cpus = topology_->max(),
          .sockets = topology_->sockets(),
          .cores = topology_->cores(),
          .threads = topology_->threads()};
}

std::vector<control::VcpuStatus> Machine::vcpus() const {
  std::vector<control::VcpuStatus> all;
  all.reserve(topology_->max());
  for (CpuId cpu = 0; cpu < topology_->max(); ++cpu) {
    all.push_back(ToControl(cpu, controller_->View(cpu), *topology_));
  }
  return all;
}

std::vector<control::OperationStatus> Machine::operations() const {
  std::vector<control::OperationStatus> all;
  for (const hotplug::Operation& operation : controller_->operations()) {
    all.push_back(ToControl(operation));
  }
  return all;
}

namespace {

Result<control::OperationStatus> ToControlResult(const Result<const hotplug::Operation*>& begun) {
  return begun.map([](const hotplug::Operation* operation) { return ToControl(*operation); });
}

}  // namespace

Result<control::OperationStatus> Machine::AddVcpu(CpuId cpu, std::string device_id,
                                                  Deadline deadline) {
  return ToControlResult(controller_->Add(cpu, std::move(device_id), deadline));
}

Result<control::OperationStatus> Machine::RemoveVcpu(CpuId cpu, Deadline deadline) {
  return ToControlResult(controller_->Remove(cpu, deadline));
}

Result<control::OperationStatus> Machine::CancelOperation(std::uint64_t id) {
  return ToControlResult(controller_->Cancel(id));
}

Result<control::SetVcpusResult> Machine::SetVcpus(const CpuSet& wanted, Deadline deadline) {
  return controller_->SetWanted(wanted, deadline)
      .map([this](const std::vector<const hotplug::Operation*>& started) {
        control::SetVcpusResult result{.wanted = controller_->wanted(), .operations = {}};
        for (const hotplug::Operation* operation : started) {
          result.operations.push_back(ToControl(*operation));
        }
        return result;
      });
}

Result<void> Machine::SetAffinity(CpuId cpu, const CpuSet& host_cpus) {
  return controller_->SetAffinity(cpu, host_cpus);
}

control::Metrics Machine::metrics() const {
  control::Metrics metrics = ToControl(controller_->operations(), controller_->metrics());
  for (CpuId cpu = 0; cpu < topology_->max(); ++cpu) {
    if (const vcpu::Vcpu* const vcpu = controller_->vcpu(cpu)) {
      metrics.vcpus.push_back(ToControlMetrics(*vcpu));
    }
  }
  return metrics;
}

Result<CpuSet> Machine::CpuSetForCount(std::uint32_t count) const {
  const std::uint32_t max = topology_->max();
  if (count == 0 || count > max) {
    return Fail(ErrorCode::kInvalidArgument,
                "{} vCPUs: this VM can have 1 to {}; start it with a larger --cpus max for more",
                count, max);
  }
  CpuSet set = controller_->wanted();
  for (CpuId cpu = 0; set.size() < count; ++cpu) {
    set.Insert(cpu);
  }
  while (set.size() > count) {
    set.Erase(*std::prev(set.end()));
  }
  return set;
}

}  // namespace tidevm::machine
