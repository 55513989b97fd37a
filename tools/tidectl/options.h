// The command line of tidectl.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tidevm/result.h"

namespace tidevm::tidectl {

/// What a command with --wait waits for.
enum class WaitFor {
  kNothing,
  kDone,        // every operation has ended
  kOnline,      // so it has, every CPU that is added is online, and none but the wanted ones are
  kRegistered,  // every CPU that is added has been registered by the guest
  kRemoved,     // every removal has ended
};

struct Options {
  bool help = false;
  bool version = false;
  bool json = false;
  std::string socket;   // resolved: -s, $TIDEVM_CONTROL, ./tidevm.sock
  std::string command;  // "" only with help or version
  std::vector<std::string> arguments;
  WaitFor wait = WaitFor::kNothing;
  std::optional<std::chrono::milliseconds> timeout;   // of this client
  std::optional<std::chrono::milliseconds> deadline;  // of the operations, in the VM
};

/// Checks the whole line: the command exists, takes these options and this many arguments.
/// `environment_socket` is $TIDEVM_CONTROL or null.
Result<Options> ParseOptions(std::vector<std::string> words, const char* environment_socket);

}  // namespace tidevm::tidectl
