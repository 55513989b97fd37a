// The command line of tidevm.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tidevm/result.h"
#include "vmm/machine/log_format.h"
#include "vmm/sandbox/mode.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::machine {

/// --cpus boot=N,max=N[,sockets=N][,cores=N][,threads=N]
struct CpuOptions {
  std::uint32_t boot = 1;
  std::uint32_t max = 1;  // as many as boot where it is left out
  vcpu::TopologyRequest topology;
};

/// What to run.
struct MachineOptions {
  std::string name;
  std::string kernel;
  std::string initrd;  // empty: none
  std::string command_line;
  std::uint64_t memory_bytes = 0;
  CpuOptions cpus;
  std::string control;  // path of the control socket; empty: none
  std::string serial;   // stdio, null, file:PATH
  std::string kvm_path;
  std::string log_level;
  LogFormat log_format = LogFormat::kText;
  sandbox::Mode seccomp = sandbox::kDefaultMode;
  bool paused = false;  // wait for the first `cont`
};

struct ShowText {  // --help, --version
  std::string text;
};
struct CheckHostRequest {  // --check-host
  std::string kvm_path;
};
struct DumpAcpiRequest {  // --dump-acpi DIR
  std::string directory;
  CpuOptions cpus;
};
struct ShowSeccompRequest {};  // --show-seccomp

using Command =
    std::variant<MachineOptions, ShowText, CheckHostRequest, DumpAcpiRequest, ShowSeccompRequest>;

/// One option, for the manual.
struct OptionText {
  std::string name{};
  char letter = 0;                     // 0: none
  std::string value{};                 // what it stands for, in capitals; "": takes none
  std::string default_value{};         // "": none
  std::vector<std::string> choices{};  // the values there are; empty: any
  std::string text{};
};

/// What the manual says beside the options; --help says it too. Lines end in \n.
struct ManualText {
  std::string_view summary;
  std::string_view usage;  // a line each
  std::vector<std::pair<int, std::string_view>> exit_codes;
  std::string_view notes;     // paragraphs, a line each
  std::string_view examples;  // a line each
  std::vector<OptionText> options;
};

ManualText DescribeProgram();

/// Reads the command line. Errors are usage errors (exit 2): one line each, with the value, the
/// limit and the remedy.
Result<Command> ParseCommandLine(int argc, const char* const* argv);

/// The value of --log-format, also of a command line that is wrong elsewhere: its error is to be
/// logged in that format. Text where there is no valid one.
LogFormat RequestedLogFormat(int argc, const char* const* argv);

/// The value of --cpus. Checks boot against max, not the limits of KVM.
Result<CpuOptions> ParseCpus(std::string_view text);

/// The value of --memory: a number with K, M, G (powers of 1024; MiB without a letter).
Result<std::uint64_t> ParseMemory(std::string_view text);

}  // namespace tidevm::machine
