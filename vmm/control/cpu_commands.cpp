#include "vmm/control/cpu_commands.h"

#include <algorithm>

#include "vmm/control/machine_json.h"

namespace tidevm::control {
namespace {

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// QEMU's id_wellformed(): a letter, then letters, digits and "-._".
bool IsWellFormedId(std::string_view id) {
  return !id.empty() && IsAsciiLetter(id.front()) && std::all_of(id.begin(), id.end(), [](char c) {
    return IsAsciiLetter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

// One of socket-id, core-id, thread-id, checked against the topology as QEMU does.
tl::expected<std::uint32_t, QmpError> TopologyId(const Json& arguments, std::string_view name,
                                                 std::uint32_t count) {
  const auto value = IntegerArgument(arguments, name);
  if (!value) {
    return tl::make_unexpected(QmpError{.desc = fmt::format("CPU {} is not set", name)});
  }
  if (*value < 0 || *value >= std::int64_t{count}) {
    return tl::make_unexpected(
        QmpError{.desc = fmt::format("Invalid CPU {}: {} must be in range 0:{}", name, *value,
                                     std::int64_t{count} - 1)});
  }
  return static_cast<std::uint32_t>(*value);
}

tl::expected<CpuPlace, QmpError> PlaceArgument(const Json& arguments, const MachineInfo& info) {
  const auto socket = TopologyId(arguments, "socket-id", info.sockets);
  if (!socket) {
    return tl::make_unexpected(socket.error());
  }
  const auto core = TopologyId(arguments, "core-id", info.cores);
  if (!core) {
    return tl::make_unexpected(core.error());
  }
  const auto thread = TopologyId(arguments, "thread-id", info.threads);
  if (!thread) {
    return tl::make_unexpected(thread.error());
  }
  return CpuPlace{.socket = *socket, .core = *core, .thread = *thread};
}

template <typename Convert>
Json ListOf(const std::vector<VcpuStatus>& vcpus, Convert convert) {
  Json list = Json::array();
  for (const VcpuStatus& vcpu : vcpus) {
    list.push_back(convert(vcpu));
  }
  return list;
}

}  // namespace

// Only CPUs that have a host thread: those are the ones QEMU's clients can pin.
void QueryCpusFast(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  const MachineInfo info = machine.info();
  auto vcpus = machine.vcpus();
  std::erase_if(vcpus, [](const VcpuStatus& vcpu) { return !vcpu.thread_id.has_value(); });
  reply.Return(ListOf(vcpus, [&](const VcpuStatus& vcpu) { return ToCpuInfoFast(vcpu, info); }));
}

// QEMU lists the highest CPU first, and some clients show the list as it comes.
void QueryHotpluggableCpus(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  const MachineInfo info = machine.info();
  auto vcpus = machine.vcpus();
  std::reverse(vcpus.begin(), vcpus.end());
  reply.Return(
      ListOf(vcpus, [&](const VcpuStatus& vcpu) { return ToHotpluggableCpu(vcpu, info); }));
}

void QueryAcpiOspmStatus(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  reply.Return(ListOf(machine.vcpus(), ToOstInfo));
}

void DeviceAdd(MachineControl& machine, const Json& arguments, const Reply& reply) {
  if (const auto driver = StringArgument(arguments, "driver"); driver != kCpuType) {
    reply.Fail({.desc = fmt::format("'{}' is not a valid device model name; only '{}' is",
                                    driver.value_or(""), kCpuType)});
    return;
  }
  const auto id = StringArgument(arguments, "id");
  if (id && !IsWellFormedId(*id)) {
    reply.Fail({.desc = "Parameter 'id' expects an identifier: a letter, then letters, digits, "
                        "'-', '.' and '_'"});
    return;
  }
  const auto place = PlaceArgument(arguments, machine.info());
  if (!place) {
    reply.Fail(place.error());
    return;
  }
  const auto deadline = DeadlineArgument(arguments);
  if (!deadline) {
    reply.Fail(deadline.error());
    return;
  }
  const auto vcpus = machine.vcpus();
  const auto target = std::find_if(vcpus.begin(), vcpus.end(),
                                   [&](const VcpuStatus& vcpu) { return vcpu.place == *place; });
  if (target == vcpus.end()) {
    reply.Fail({.desc = fmt::format("Invalid CPU [socket: {}, core: {}, thread: {}]: the machine "
                                    "has {} possible CPUs",
                                    place->socket, place->core, place->thread, vcpus.size())});
    return;
  }
  // The id must be unique among the other CPUs. For this very CPU the machine decides: it may be
  // on its way out, and taking it back under the same id is then legitimate.
  if (id && std::any_of(vcpus.begin(), vcpus.end(), [&](const VcpuStatus& vcpu) {
        return vcpu.cpu != target->cpu && IsPlugged(vcpu) && vcpu.device_id == *id;
      })) {
    reply.Fail({.desc = fmt::format("Duplicate device ID '{}'", *id)});
    return;
  }
  if (const auto added = machine.AddVcpu(target->cpu, id.value_or(""), *deadline); !added) {
    reply.Fail(ToQmpError(added.error()));
    return;
  }
  reply.Return();
}

void DeviceDel(MachineControl& machine, const Json& arguments, const Reply& reply) {
  const auto deadline = DeadlineArgument(arguments);
  if (!deadline) {
    reply.Fail(deadline.error());
    return;
  }
  const std::string id = StringArgument(arguments, "id").value_or("");
  const MachineInfo info = machine.info();
  const auto vcpus = machine.vcpus();
  const auto target = std::find_if(vcpus.begin(), vcpus.end(), [&](const VcpuStatus& vcpu) {
    const bool named = !vcpu.device_id.empty() && vcpu.device_id == id;
    return IsPlugged(vcpu) && (named || QomPath(vcpu, info) == id);
  });
  if (target == vcpus.end()) {
    reply.Fail({.error_class = kDeviceNotFound, .desc = fmt::format("Device '{}' not found", id)});
    return;
  }
  if (const auto removed = machine.RemoveVcpu(target->cpu, *deadline); !removed) {
    reply.Fail(ToQmpError(removed.error()));
    return;
  }
  reply.Return();
}

}  // namespace tidevm::control
