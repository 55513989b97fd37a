#include "vmm/control/vcpu_commands.h"

#include <sched.h>

#include <limits>

#include "vmm/control/machine_json.h"
#include "vmm/control/metrics_json.h"

namespace tidevm::control {
namespace {

// What a cpu_set_t holds, which is how a thread's affinity is given to Linux.
constexpr std::uint32_t kMaxHostCpus = CPU_SETSIZE;

Json ListOf(const std::vector<OperationStatus>& operations) {
  Json list = Json::array();
  for (const OperationStatus& operation : operations) {
    list.push_back(ToJson(operation));
  }
  return list;
}

// The set that {count | cpus} means; exactly one of the two.
tl::expected<CpuSet, QmpError> WantedSet(const MachineControl& machine, const Json& arguments) {
  const auto count = IntegerArgument(arguments, "count");
  const auto cpus = StringArgument(arguments, "cpus");
  if (count.has_value() == cpus.has_value()) {
    return tl::make_unexpected(QmpError{
        .desc = "Give either 'count', a number of vCPUs, or 'cpus', a list like \"0-3,6\""});
  }
  if (count && (*count < 0 || *count > std::numeric_limits<std::uint32_t>::max())) {
    return tl::make_unexpected(QmpError{
        .desc = fmt::format("Parameter 'count' expects a number of vCPUs from 1 to {}, not {}",
                            machine.info().max_cpus, *count)});
  }
  Result<CpuSet> set = count ? machine.CpuSetForCount(static_cast<std::uint32_t>(*count))
                             : CpuSet::Parse(*cpus, machine.info().max_cpus);
  if (!set) {
    return tl::make_unexpected(ToQmpError(set.error()));
  }
  return *std::move(set);
}

}  // namespace

void QueryVcpus(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  const MachineInfo info = machine.info();
  Json list = Json::array();
  for (const VcpuStatus& vcpu : machine.vcpus()) {
    list.push_back(ToVcpuInfo(vcpu, info));
  }
  reply.Return(std::move(list));
}

void QueryVcpuOperations(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  reply.Return(ListOf(machine.operations()));
}

void SetVcpus(MachineControl& machine, const Json& arguments, const Reply& reply) {
  const auto wanted = WantedSet(machine, arguments);
  if (!wanted) {
    reply.Fail(wanted.error());
    return;
  }
  const auto deadline = DeadlineArgument(arguments);
  if (!deadline) {
    reply.Fail(deadline.error());
    return;
  }
  const auto started = machine.SetVcpus(*wanted, *deadline);
  if (!started) {
    reply.Fail(ToQmpError(started.error()));
    return;
  }
  reply.Return(
      {{"wanted", started->wanted.ToString()}, {"operations", ListOf(started->operations)}});
}

void CancelVcpuOperation(MachineControl& machine, const Json& arguments, const Reply& reply) {
  const std::int64_t id = IntegerArgument(arguments, "id").value_or(-1);
  if (id < 0) {
    reply.Fail({.desc = fmt::format("Parameter 'id' expects the id of an operation, as "
                                    "query-vcpu-operations lists it, not {}",
                                    id)});
    return;
  }
  const auto ended = machine.CancelOperation(static_cast<std::uint64_t>(id));
  if (!ended) {
    reply.Fail(ToQmpError(ended.error()));
    return;
  }
  reply.Return(ToJson(*ended));
}

void SetVcpuAffinity(MachineControl& machine, const Json& arguments, const Reply& reply) {
  const std::int64_t cpu = IntegerArgument(arguments, "cpu").value_or(-1);
  const std::uint32_t max_cpus = machine.info().max_cpus;
  if (cpu < 0 || cpu >= std::int64_t{max_cpus}) {
    reply.Fail({.desc = fmt::format("Parameter 'cpu' expects the id of a vCPU from 0 to {}, not {}",
                                    max_cpus - 1, cpu)});
    return;
  }
  auto host_cpus = CpuSet::Parse(StringArgument(arguments, "host-cpus").value_or(""), kMaxHostCpus);
  if (!host_cpus) {
    reply.Fail({.desc = fmt::format("Parameter 'host-cpus': {}", host_cpus.error().message)});
    return;
  }
  const auto bound = machine.SetAffinity(static_cast<CpuId>(cpu), *host_cpus);
  if (!bound) {
    reply.Fail(ToQmpError(bound.error()));
    return;
  }
  reply.Return();
}

void QueryMetrics(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  reply.Return(ToJson(machine.metrics()));
}

}  // namespace tidevm::control
