// The commands of the control socket: names, arguments, handlers.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "vmm/control/arguments.h"
#include "vmm/control/machine_control.h"
#include "vmm/control/qmp_message.h"
#include "vmm/control/reply.h"

namespace tidevm::control {

/// `arguments` have passed the command's ArgumentSpecs. Every path answers `reply`, now or later.
using CommandHandler = void (*)(MachineControl& machine, const Json& arguments, const Reply& reply);

struct CommandSpec {
  std::string_view name;
  std::span<const ArgumentSpec> arguments;
  CommandHandler handler = nullptr;
};

/// All commands, qmp_capabilities included.
std::span<const CommandSpec> Commands();

/// Finds the command, checks the arguments whole, and calls the handler.
void Dispatch(MachineControl& machine, const QmpRequest& request, const Reply& reply);

/// What is wrong with the arguments of the qmp_capabilities that ends the negotiation, if anything.
std::optional<QmpError> CheckCapabilities(const Json& arguments);

}  // namespace tidevm::control
