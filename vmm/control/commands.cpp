#include "vmm/control/commands.h"

#include <algorithm>
#include <array>

#include "vmm/control/cpu_commands.h"
#include "vmm/control/machine_json.h"
#include "vmm/control/vcpu_commands.h"

namespace tidevm::control {
namespace {

void Answer(const Result<void>& result, const Reply& reply) {
  if (result) {
    reply.Return();
  } else {
    reply.Fail(ToQmpError(result.error()));
  }
}

// Only reached past the negotiation: the session itself takes the one that ends it.
void QmpCapabilities(MachineControl& /*machine*/, const Json& /*arguments*/, const Reply& reply) {
  reply.Fail({.error_class = kCommandNotFound,
              .desc = "Capabilities negotiation is already complete, command ignored"});
}

void QueryVersion(MachineControl& /*machine*/, const Json& /*arguments*/, const Reply& reply) {
  reply.Return(VersionInfo());
}

void QueryCommands(MachineControl& /*machine*/, const Json& /*arguments*/, const Reply& reply) {
  Json list = Json::array();
  for (const CommandSpec& command : Commands()) {
    Json entry = Json::object();
    entry["name"] = command.name;
    list.push_back(std::move(entry));
  }
  reply.Return(std::move(list));
}

void QueryStatus(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  const RunState state = machine.run_state();
  reply.Return({{"running", state == RunState::kRunning}, {"status", ToString(state)}});
}

void QueryName(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  Json answer = Json::object();
  if (const MachineInfo info = machine.info(); !info.name.empty()) {
    answer["name"] = info.name;
  }
  reply.Return(std::move(answer));
}

void QueryKvm(MachineControl& /*machine*/, const Json& /*arguments*/, const Reply& reply) {
  reply.Return({{"enabled", true}, {"present", true}});
}

void Stop(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  machine.Stop([reply] { reply.Return(); });
}

void Cont(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  Answer(machine.Continue(), reply);
}

void SystemPowerdown(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  Answer(machine.Powerdown(), reply);
}

void SystemReset(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  Answer(machine.Reset(), reply);
}

// The answer goes to the socket before the VM ends: Return() writes at once what the client's
// socket takes, and the server's destructor tries again.
void Quit(MachineControl& machine, const Json& /*arguments*/, const Reply& reply) {
  reply.Return();
  machine.Quit();
}

using enum ArgumentType;

// Of every command that starts operations; tidevm's own.
constexpr ArgumentSpec kTimeoutArgument{"timeout-ms", kInteger, false};

constexpr std::array kCapabilitiesArguments = {ArgumentSpec{"enable", kStringList, false}};
constexpr std::array kDeviceAddArguments = {
    ArgumentSpec{"driver", kString, true}, ArgumentSpec{"id", kString, false},
    // Optional here, so that their absence is worded as QEMU words it.
    ArgumentSpec{"socket-id", kInteger, false}, ArgumentSpec{"die-id", kInteger, false},
    ArgumentSpec{"module-id", kInteger, false}, ArgumentSpec{"core-id", kInteger, false},
    ArgumentSpec{"thread-id", kInteger, false}, ArgumentSpec{"node-id", kInteger, false},
    ArgumentSpec{"apic-id", kInteger, false}, kTimeoutArgument};
constexpr std::array kDeviceDelArguments = {ArgumentSpec{"id", kString, true}, kTimeoutArgument};
constexpr std::array kSetVcpusArguments = {ArgumentSpec{"count", kInteger, false},
                                           ArgumentSpec{"cpus", kString, false}, kTimeoutArgument};
constexpr std::array kCancelArguments = {ArgumentSpec{"id", kInteger, true}};
constexpr std::array kAffinityArguments = {ArgumentSpec{"cpu", kInteger, true},
                                           ArgumentSpec{"host-cpus", kString, true}};
constexpr std::span<const ArgumentSpec> kNoArguments;

constexpr std::array kCommands = {
    CommandSpec{"qmp_capabilities", kCapabilitiesArguments, QmpCapabilities},
    CommandSpec{"query-version", kNoArguments, QueryVersion},
    CommandSpec{"query-commands", kNoArguments, QueryCommands},
    CommandSpec{"query-status", kNoArguments, QueryStatus},
    CommandSpec{"query-name", kNoArguments, QueryName},
    CommandSpec{"query-kvm", kNoArguments, QueryKvm},
    CommandSpec{"query-cpus-fast", kNoArguments, QueryCpusFast},
    CommandSpec{"query-hotpluggable-cpus", kNoArguments, QueryHotpluggableCpus},
    CommandSpec{"query-acpi-ospm-status", kNoArguments, QueryAcpiOspmStatus},
    CommandSpec{"device_add", kDeviceAddArguments, DeviceAdd},
    CommandSpec{"device_del", kDeviceDelArguments, DeviceDel},
    CommandSpec{"stop", kNoArguments, Stop},
    CommandSpec{"cont", kNoArguments, Cont},
    CommandSpec{"system_powerdown", kNoArguments, SystemPowerdown},
    CommandSpec{"system_reset", kNoArguments, SystemReset},
    CommandSpec{"quit", kNoArguments, Quit},
    CommandSpec{"query-vcpus", kNoArguments, QueryVcpus},
    CommandSpec{"query-vcpu-operations", kNoArguments, QueryVcpuOperations},
    CommandSpec{"set-vcpus", kSetVcpusArguments, SetVcpus},
    CommandSpec{"cancel-vcpu-operation", kCancelArguments, CancelVcpuOperation},
    CommandSpec{"set-vcpu-affinity", kAffinityArguments, SetVcpuAffinity},
    CommandSpec{"query-metrics", kNoArguments, QueryMetrics},
};

}  // namespace

std::span<const CommandSpec> Commands() { return kCommands; }

void Dispatch(MachineControl& machine, const QmpRequest& request, const Reply& reply) {
  const auto* const command =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [&](const CommandSpec& spec) { return spec.name == request.command; });
  if (command == kCommands.end()) {
    reply.Fail({.error_class = kCommandNotFound,
                .desc = fmt::format("The command {} has not been found", request.command)});
    return;
  }
  if (auto error = CheckArguments(command->arguments, request.arguments)) {
    reply.Fail(*std::move(error));
    return;
  }
  command->handler(machine, request.arguments, reply);
}

std::optional<QmpError> CheckCapabilities(const Json& arguments) {
  if (auto error = CheckArguments(kCapabilitiesArguments, arguments)) {
    return error;
  }
  const auto enable = arguments.find("enable");
  if (enable == arguments.end() || enable->empty()) {
    return std::nullopt;
  }
  // QEMU knows one capability. None is offered in the greeting, so none can be enabled.
  for (std::size_t i = 0; i < enable->size(); ++i) {
    if (const auto& name = (*enable)[i].get_ref<const std::string&>(); name != "oob") {
      return QmpError{
          .desc = fmt::format("Parameter 'enable[{}]' does not accept value '{}'", i, name)};
    }
  }
  return QmpError{.desc = "Capability oob not available"};
}

}  // namespace tidevm::control
