#include "vmm/control/cpu_commands.h"

#include <algorithm>
#include <array>

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

struct TopologyLevel {
  std::string_view name;
  std::uint32_t count = 1;  // of the machine
  std::uint32_t id = 0;     // of the CPU that is meant, once it is known
};

// In QEMU's order. The guest has one die and one module; QEMU's clients may name them all the same.
std::array<TopologyLevel, 5> TopologyOf(const MachineInfo& info, const CpuPlace& place) {
  return {{{.name = "socket-id", .count = info.sockets, .id = place.socket},
           {.name = "die-id"},
           {.name = "module-id"},
           {.name = "core-id", .count = info.cores, .id = place.core},
           {.name = "thread-id", .count = info.threads, .id = place.thread}}};
}

// One level of the place, checked against the topology. Those that every machine has once may be
// left out.
tl::expected<std::uint32_t, QmpError> TopologyId(const Json& arguments,
                                                 const TopologyLevel& level) {
  const bool optional = level.name == "die-id" || level.name == "module-id";
  const auto value = IntegerArgument(arguments, level.name);
  if (!value && !optional) {
    return tl::make_unexpected(QmpError{.desc = fmt::format("CPU {} is not set", level.name)});
  }
  if (value && (*value < 0 || *value >= std::int64_t{level.count})) {
    return tl::make_unexpected(
        QmpError{.desc = fmt::format("Invalid CPU {}: {} must be in range 0:{}", level.name, *value,
                                     std::int64_t{level.count} - 1)});
  }
  return static_cast<std::uint32_t>(value.value_or(0));
}

tl::expected<VcpuStatus, QmpError> VcpuAtPlace(const Json& arguments, const MachineInfo& info,
                                               const std::vector<VcpuStatus>& vcpus) {
  std::array<std::uint32_t, 5> ids{};
  const auto levels = TopologyOf(info, {});
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const auto id = TopologyId(arguments, levels[i]);
    if (!id) {
      return tl::make_unexpected(id.error());
    }
    ids[i] = *id;
  }
  const CpuPlace place{.socket = ids[0], .core = ids[3], .thread = ids[4]};
  const auto target = std::find_if(vcpus.begin(), vcpus.end(),
                                   [&](const VcpuStatus& vcpu) { return vcpu.place == place; });
  if (target == vcpus.end()) {
    return tl::make_unexpected(QmpError{
        .desc = fmt::format("Invalid CPU [socket: {}, core: {}, thread: {}]: the machine has {} "
                            "possible CPUs",
                            place.socket, place.core, place.thread, vcpus.size())});
  }
  return *target;
}

// A place beside the APIC ID may be given, and must be that CPU's.
tl::expected<VcpuStatus, QmpError> VcpuWithApicId(std::int64_t apic_id, const Json& arguments,
                                                  const MachineInfo& info,
                                                  const std::vector<VcpuStatus>& vcpus) {
  const auto target = std::find_if(vcpus.begin(), vcpus.end(), [&](const VcpuStatus& vcpu) {
    return std::int64_t{vcpu.apic_id} == apic_id;
  });
  if (target == vcpus.end()) {
    return tl::make_unexpected(QmpError{
        .desc = fmt::format("Invalid CPU with APIC ID {}; query-vcpus lists those of the {} "
                            "possible CPUs",
                            apic_id, vcpus.size())});
  }
  for (const TopologyLevel& level : TopologyOf(info, target->place)) {
    const auto value = IntegerArgument(arguments, level.name);
    if (value && *value != std::int64_t{level.id}) {
      return tl::make_unexpected(QmpError{
          .desc = fmt::format("property {0}: {1} doesn't match set apic-id: 0x{2:x} ({0}: {3})",
                              level.name, *value, apic_id, level.id)});
    }
  }
  return *target;
}

// The CPU that device_add means: by its place, or by its APIC ID, as QEMU's x86 CPUs have it.
tl::expected<VcpuStatus, QmpError> DeviceAddTarget(const Json& arguments, const MachineInfo& info,
                                                   const std::vector<VcpuStatus>& vcpus) {
  if (const auto node = IntegerArgument(arguments, "node-id"); node && *node != 0) {
    return tl::make_unexpected(QmpError{
        .desc = fmt::format("invalid node-id {}, must be 0: the guest has one NUMA node", *node)});
  }
  const auto apic_id = IntegerArgument(arguments, "apic-id");
  return apic_id ? VcpuWithApicId(*apic_id, arguments, info, vcpus)
                 : VcpuAtPlace(arguments, info, vcpus);
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
  const auto vcpus = machine.vcpus();
  const auto target = DeviceAddTarget(arguments, machine.info(), vcpus);
  if (!target) {
    reply.Fail(target.error());
    return;
  }
  const auto deadline = DeadlineArgument(arguments);
  if (!deadline) {
    reply.Fail(deadline.error());
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
  const auto added = machine.AddVcpu(target->cpu, id.value_or(""), *deadline);
  if (!added) {
    reply.Fail(ToQmpError(added.error()));
    return;
  }
  // As with QEMU, what the host cannot do is the command's own error: nothing else would tell a
  // client that knows no VCPU_OPERATION.
  if (added->outcome == Outcome::kFailed) {
    reply.Fail({.desc = added->reason});
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
  const auto removed = machine.RemoveVcpu(target->cpu, *deadline);
  if (!removed) {
    reply.Fail(ToQmpError(removed.error()));
    return;
  }
  if (removed->outcome == Outcome::kFailed) {
    reply.Fail({.desc = removed->reason});
    return;
  }
  reply.Return();
}

}  // namespace tidevm::control
