#include "tools/tidectl/help.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

namespace tidevm::tidectl {
namespace {

constexpr std::array kCommands = {
    CommandHelp{"vcpus", "", 0, 0, false, "Show every possible vCPU",
                "For each one, side by side and none inferred from another: whether the host wants "
                "it,\nits state and thread in the host, what ACPI shows the guest, and what the "
                "guest has\nreported back (REGISTERED says unknown until it did).",
                "  tidectl vcpus\n  tidectl vcpus --json"},
    CommandHelp{"set-vcpus", "N|LIST", 1, 1, true, "Ask for a number or a set of vCPUs",
                "A lone number is a count: the lowest free ids are added, or the highest removed. "
                "A list\nsuch as 0-3,6 is the exact set (0-0 is CPU 0 alone). CPU 0 always stays. "
                "All additions and\nremovals go at once.",
                "  tidectl set-vcpus 4\n  tidectl set-vcpus 0-3,6 --wait --timeout 5s"},
    CommandHelp{"plug", "ID", 1, 1, true, "Add one vCPU",
                "ID is the number in the first column of 'tidectl vcpus'.",
                "  tidectl plug 3\n  tidectl plug 3 --wait"},
    CommandHelp{"unplug", "ID", 1, 1, true, "Ask the guest to give one vCPU up",
                "The guest may refuse, and CPU 0 cannot be unplugged.",
                "  tidectl unplug 3 --wait --timeout 10s"},
    CommandHelp{"events", "", 0, 0, false, "Print events as they happen, one a line",
                "Until interrupted, until the VM ends, or for as long as --timeout says.",
                "  tidectl events\n  tidectl events --json --timeout 1m"},
    CommandHelp{"status", "", 0, 0, false, "Show whether the VM runs, and with which vCPUs", "",
                "  tidectl status"},
    CommandHelp{"powerdown", "", 0, 0, false, "Press the power button",
                "The guest decides what it does about it.", "  tidectl powerdown"},
    CommandHelp{"reset", "", 0, 0, false, "Reset the guest at once", "", "  tidectl reset"},
    CommandHelp{"stop", "", 0, 0, false, "Pause every vCPU",
                "Returns when each has left the guest.", "  tidectl stop"},
    CommandHelp{"cont", "", 0, 0, false, "Let paused vCPUs go on", "", "  tidectl cont"},
    CommandHelp{"quit", "", 0, 0, false, "End the VM at once, as if the plug were pulled", "",
                "  tidectl quit"},
    CommandHelp{"qmp", "JSON|COMMAND [ARGUMENTS]", 1, 2, false, "Send one QMP command",
                "Either the whole request as JSON, or a command's name and, if it takes any, its\n"
                "arguments as a JSON object. 'tidectl qmp query-commands' lists the commands.",
                "  tidectl qmp query-hotpluggable-cpus\n"
                "  tidectl qmp set-vcpus '{\"cpus\": \"0-3\"}'\n"
                "  tidectl qmp '{\"execute\": \"query-status\", \"id\": 1}' --json"},
};

constexpr std::string_view kOptions =
    "Options:\n"
    "  -s, --socket SOCK   control socket of the VM; else $TIDEVM_CONTROL, else ./tidevm.sock\n"
    "      --json          output for machines: one JSON value a line\n"
    "      --timeout TIME  how long to wait, such as 500ms, 5s, 2m (30s with --wait, else 10s)\n"
    "  -h, --help          this help, or that of a command\n"
    "      --version       the version\n";

constexpr std::string_view kWaitOption =
    "      --wait[=WHAT]   follow what was started and print each phase, with its time since the\n"
    "                      request, as it happens. WHAT: nothing - until every operation has\n"
    "                      ended; registered - until the guest has registered every added CPU;\n"
    "                      removed - until every removal has ended\n";

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0  it happened (without --wait: it was accepted)\n"
    "  1  it was refused or failed, or the VM could not be reached\n"
    "  2  the command line was wrong\n"
    "  3  it did not happen in time; it may still happen\n";

}  // namespace

std::span<const CommandHelp> AllCommands() { return kCommands; }

const CommandHelp* FindCommand(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [name](const CommandHelp& command) { return command.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

std::string GeneralHelp() {
  std::string text =
      "tidectl - talk to a running tidevm\n\n"
      "Usage: tidectl [-s SOCK] [--json] COMMAND [ARGUMENT...] [--wait[=WHAT]] [--timeout TIME]\n\n"
      "Commands ('tidectl COMMAND --help' tells more):\n";
  for (const CommandHelp& command : kCommands) {
    text += fmt::format("  {:<17}{}\n",
                        fmt::format("{} {}", command.name,
                                    command.arguments.size() > 8 ? "..." : command.arguments),
                        command.summary);
  }
  text += fmt::format("\n{}{}\n{}", kOptions, kWaitOption, kExitCodes);
  text +=
      "\nExamples:\n"
      "  tidectl -s /run/vm.sock vcpus\n"
      "  tidectl set-vcpus 4 --wait --timeout 5s\n"
      "  tidectl unplug 3 --wait && tidectl plug 3 --wait\n"
      "  tidectl events --json\n";
  return text;
}

std::string HelpFor(const CommandHelp& command) {
  std::string text = fmt::format(
      "tidectl {0} - {1}\n\nUsage: tidectl [-s SOCK] [--json] {0}{2}{3}{4} [--timeout "
      "TIME]\n\n",
      command.name, command.summary, command.arguments.empty() ? "" : " ", command.arguments,
      command.takes_wait ? " [--wait[=WHAT]]" : "");
  if (!command.details.empty()) {
    text += fmt::format("{}\n\n", command.details);
  }
  text += fmt::format("{}{}\n{}\nExamples:\n{}\n", kOptions,
                      command.takes_wait ? kWaitOption : std::string_view(), kExitCodes,
                      command.examples);
  return text;
}

std::string VersionText() { return "tidectl " TIDEVM_VERSION "\n"; }

}  // namespace tidevm::tidectl
