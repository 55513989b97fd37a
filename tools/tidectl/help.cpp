#include "tools/tidectl/help.h"

#include <algorithm>
#include <array>

namespace tidevm::tidectl {
namespace {

constexpr std::array kOptions = {
    OptionHelp{.name = "socket",
               .letter = 's',
               .value = "SOCK",
               .text = "control socket of the VM; else $TIDEVM_CONTROL, else ./tidevm.sock"},
    OptionHelp{.name = "json", .text = "output for machines: one JSON value a line"},
    OptionHelp{.name = "timeout",
               .value = "TIME",
               .text = "how long tidectl waits, such as 500ms, 5s, 2m; else 10s, with --wait 30s, "
                       "with --deadline a little longer than that"},
    OptionHelp{.name = "wait",
               .value = "WHAT",
               .value_optional = true,
               .choices = "online registered removed",
               .for_operations = true,
               .text = "follow what was started and show each phase, with its time since the "
                       "request, as it happens. WHAT: nothing - until every operation has ended; "
                       "online - the same, and every wanted CPU, no other, is proved online in the "
                       "guest; registered - until the guest has registered every added CPU; "
                       "removed - until every removal has ended"},
    OptionHelp{.name = "deadline",
               .value = "TIME",
               .for_operations = true,
               .text = "how long the VM tries before it gives the request up, 1ms to 24h; else "
                       "60s. It holds whether tidectl waits or not"},
    OptionHelp{.name = "help", .letter = 'h', .text = "this help, or that of a command"},
    OptionHelp{.name = "version", .text = "the version"},
};

constexpr std::array kCommands = {
    CommandHelp{"vcpus", "", 0, 0, false, "Show every possible vCPU",
                "For each one, side by side and none inferred from another: whether the host wants "
                "it, its state and thread in the host, what ACPI shows the guest, and what the "
                "guest has reported back (REGISTERED and ONLINE say unknown until it did).",
                "tidectl vcpus\ntidectl vcpus --json"},
    CommandHelp{"set-vcpus", "N|LIST", 1, 1, true, "Ask for a number or a set of vCPUs",
                "A lone number is a count: the lowest free ids are added, or the highest removed. "
                "A list such as 0-3,6 is the exact set (0-0 is CPU 0 alone). CPU 0 always stays. "
                "All additions and removals go at once.",
                "tidectl set-vcpus 4 --wait online\n"
                "tidectl set-vcpus 0-3,6 --wait --timeout 5s --deadline 20s"},
    CommandHelp{"plug", "ID", 1, 1, true, "Add one vCPU",
                "ID is the number in the first column of 'tidectl vcpus'.",
                "tidectl plug 3\ntidectl plug 3 --wait online"},
    CommandHelp{"unplug", "ID", 1, 1, true, "Ask the guest to give one vCPU up",
                "The guest may refuse, and CPU 0 cannot be unplugged.",
                "tidectl unplug 3 --wait --timeout 10s"},
    CommandHelp{"operations", "", 0, 0, false, "Show requests that are pending or ended lately",
                "One row for each vCPU that was to be added or removed: how it ended, the last "
                "phase it reached, and the time of that phase and of the deadline, both since the "
                "request.",
                "tidectl operations\ntidectl operations --json"},
    CommandHelp{"cancel", "OPERATION", 1, 1, false, "End a pending operation",
                "OPERATION is the number that set-vcpus, plug and unplug print, and the first "
                "column of 'tidectl operations'. An addition that is cancelled takes the vCPU "
                "back; a removal that is cancelled leaves it to the guest.",
                "tidectl cancel 7"},
    CommandHelp{"affinity", "ID LIST", 2, 2, false, "Bind a vCPU's thread to CPUs of the host",
                "LIST names the host's CPUs, such as 0-3,6. It holds when the vCPU is removed and "
                "added again, too.",
                "tidectl affinity 3 0-1"},
    CommandHelp{"watch", "", 0, 0, false, "Watch all vCPUs live",
                "Shows what 'tidectl vcpus' shows, with each vCPU's share of a CPU and the request "
                "that is pending for it, and keeps it fresh. q or Ctrl-C ends it. When the "
                "terminal is small, the rows become short and stand side by side: w is wanted, r "
                "registered, o online, + an addition and - a removal that is pending.\n\n"
                "With --json, or where the output is no terminal, it prints a snapshot, one JSON "
                "value a line, now and at every change other than CPU time.",
                "tidectl watch\ntidectl watch --json --timeout 1m"},
    CommandHelp{"metrics", "", 0, 0, false, "Print metrics as Prometheus reads them",
                "Operations by outcome, how long each of their phases took to reach, and exits and "
                "CPU time of each vCPU, in the text exposition format 0.0.4. With --json: the "
                "answer of query-metrics.",
                "tidectl metrics\n"
                "tidectl metrics > /var/lib/prometheus/node-exporter/tidevm.prom"},
    CommandHelp{"events", "", 0, 0, false, "Print events as they happen, one a line",
                "Until interrupted, until the VM ends, or for as long as --timeout says.",
                "tidectl events\ntidectl events --json --timeout 1m"},
    CommandHelp{"status", "", 0, 0, false, "Show whether the VM runs, and with which vCPUs", "",
                "tidectl status"},
    CommandHelp{"powerdown", "", 0, 0, false, "Press the power button",
                "The guest decides what it does about it.", "tidectl powerdown"},
    CommandHelp{"reset", "", 0, 0, false, "Reset the guest at once", "", "tidectl reset"},
    CommandHelp{"stop", "", 0, 0, false, "Pause every vCPU",
                "Returns when each has left the guest.", "tidectl stop"},
    CommandHelp{"cont", "", 0, 0, false, "Let paused vCPUs go on", "", "tidectl cont"},
    CommandHelp{"quit", "", 0, 0, false, "End the VM at once, as if the plug were pulled", "",
                "tidectl quit"},
    CommandHelp{"qmp", "JSON|COMMAND [ARGUMENTS]", 1, 2, false, "Send one QMP command",
                "Either the whole request as JSON, or a command's name and, if it takes any, its "
                "arguments as a JSON object. 'tidectl qmp query-commands' lists the commands.",
                "tidectl qmp query-hotpluggable-cpus\n"
                "tidectl qmp set-vcpus '{\"cpus\": \"0-3\"}'\n"
                "tidectl qmp '{\"execute\": \"query-status\", \"id\": 1}' --json"},
};

constexpr std::array kExitCodes = {
    ExitCodeHelp{0, "it happened (without --wait: it was accepted)"},
    ExitCodeHelp{1,
                 "it was refused, failed or was cancelled, cannot be known, or the VM could not be "
                 "reached"},
    ExitCodeHelp{2, "the command line was wrong"},
    ExitCodeHelp{3,
                 "it did not happen in time: by the VM's deadline, or by tidectl's timeout, and "
                 "then it may still happen"},
};

}  // namespace

std::span<const OptionHelp> AllOptions() { return kOptions; }
std::span<const CommandHelp> AllCommands() { return kCommands; }
std::span<const ExitCodeHelp> AllExitCodes() { return kExitCodes; }

std::string_view GeneralExamples() {
  return "tidectl -s /run/vm.sock vcpus\n"
         "tidectl set-vcpus 4 --wait online --timeout 5s\n"
         "tidectl unplug 3 --wait && tidectl plug 3 --wait\n"
         "tidectl watch\n"
         "tidectl events --json";
}

const CommandHelp* FindCommand(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [name](const CommandHelp& command) { return command.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

const OptionHelp& FindOption(std::string_view name) {
  return *std::find_if(kOptions.begin(), kOptions.end(),
                       [name](const OptionHelp& option) { return option.name == name; });
}

bool Takes(const CommandHelp& command, const OptionHelp& option) {
  return !option.for_operations || command.starts_operations;
}

}  // namespace tidevm::tidectl
