#include "vmm/machine/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <span>
#include <sstream>

#include <boost/program_options.hpp>

#include "tidevm/descriptor_name.h"

namespace tidevm::machine {
namespace {

namespace po = boost::program_options;

constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

constexpr std::string_view kSummary =
    "boots a Linux kernel on KVM; its vCPUs come and go over a control socket";

constexpr std::string_view kUsage = R"(tidevm --kernel FILE [options]
tidevm --check-host
tidevm --dump-acpi DIR [--cpus ...]
tidevm --show-seccomp
)";

constexpr std::string_view kExamples =
    R"(tidevm --kernel vmlinuz --initrd initrd.img --cpus boot=1,max=8 --control /run/vm.sock
tidevm --kernel vmlinux --memory 2G --cpus boot=2,max=8,sockets=2,threads=2 --serial file:vm.log
tidectl -s /run/vm.sock set-vcpus 4
)";

constexpr std::array kExitCodes = {
    std::pair<int, std::string_view>{0, "the guest powered off"},
    std::pair<int, std::string_view>{1, "an error or a guest kernel panic"},
    std::pair<int, std::string_view>{2, "usage"},
    std::pair<int, std::string_view>{3, "a system call that tidevm has no need of (--seccomp)"},
    std::pair<int, std::string_view>{143, "a second SIGTERM"},
};

constexpr std::string_view kNotes =
    R"(SIGTERM and SIGINT press the guest's power button; the second one ends the VM at once.
On a terminal, Ctrl-A x ends the VM and Ctrl-A h shows help.
)";

constexpr std::array<std::string_view, 2> kLogFormats = {"text", "json"};
constexpr std::array<std::string_view, 4> kLogLevels = {"error", "warn", "info", "debug"};
// The words of --serial; a file or descriptor is named after it.
constexpr std::array<std::string_view, 4> kSerials = {"stdio", "null", "file:", "fd:"};

// Each line with blanks before it.
std::string Indented(std::string_view lines, std::string_view first, std::string_view rest) {
  std::string text;
  while (!lines.empty()) {
    const std::size_t length = lines.find('\n') + 1;
    text += fmt::format("{}{}", text.empty() ? first : rest, lines.substr(0, length));
    lines.remove_prefix(length);
  }
  return text;
}

std::string ExitCodes() {
  std::string text;
  for (const auto& [code, meaning] : kExitCodes) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", code, meaning);
  }
  return text;
}

Result<std::uint32_t> ParseCount(std::string_view key, std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--cpus {}={}: not a number; write it like boot=1,max=8", key, text);
  }
  constexpr std::uint32_t kMost = 1U << 20;
  if (value > kMost) {
    return Fail(ErrorCode::kInvalidArgument, "--cpus {}={}: must be {} or less", key, value, kMost);
  }
  if (value == 0) {
    return Fail(ErrorCode::kInvalidArgument, "--cpus {}=0: must be 1 or more", key);
  }
  return value;
}

std::string_view NameOf(sandbox::Mode mode) {
  return sandbox::kModeNames.at(static_cast<std::size_t>(mode));
}

po::options_description Describe() {
  po::options_description options("Options", 100, 50);
  // clang-format off
  options.add_options()
    ("kernel,k", po::value<std::string>()->value_name("FILE"),
       "guest kernel: a distribution's vmlinuz (bzImage), or a vmlinux ELF; here and below, fd:N is a "
       "descriptor that was left open for tidevm")
    ("initrd,i", po::value<std::string>()->value_name("FILE"), "initial RAM disk, or fd:N")
    ("cmdline", po::value<std::string>()->value_name("TEXT")->default_value("console=ttyS0"),
       "kernel command line")
    ("memory,m", po::value<std::string>()->value_name("SIZE")->default_value("512M"),
       "guest memory, with K, M or G")
    ("cpus,c", po::value<std::string>()->value_name("LIST")->default_value("boot=1,max=1"),
       "boot=N,max=N[,sockets=N][,cores=N][,threads=N]: vCPUs at start, at the most, and their shape")
    ("control,s", po::value<std::string>()->value_name("PATH"),
       "control socket to make (QMP; see tidectl); or one that listens already: fd:N, or systemd "
       "(socket activation)")
    ("serial", po::value<std::string>()->value_name("WHERE")->default_value("stdio"),
       "the guest's ttyS0: stdio, null, file:PATH, or fd:N")
    ("paused", "run no vCPU before the first `cont` on the control socket")
    ("name", po::value<std::string>()->value_name("NAME")->default_value("tidevm"),
       "name of the VM, for clients")
    ("kvm", po::value<std::string>()->value_name("PATH")->default_value("/dev/kvm"),
       "the KVM device")
    ("log-level", po::value<std::string>()->value_name("LEVEL")->default_value("info"),
       "error, warn, info or debug; the log goes to stderr")
    ("log-format", po::value<std::string>()->value_name("FORMAT")->default_value("text"),
       "text, or json: one object a line, with time (UTC), level and message")
    ("seccomp", po::value<std::string>()->value_name("MODE")
         ->default_value(std::string(NameOf(sandbox::kDefaultMode))),
       "what becomes of a system call that its thread has no need of: on: tidevm ends; log: it is made, "
       "and the kernel logs it (dmesg, journalctl -k); off: no filter")
    ("show-seccomp", "print the system calls that each kind of thread may make, and exit")
    ("check-host", "say whether this machine's KVM can run Linux guests, and why; exit 0 if it can")
    ("dump-acpi", po::value<std::string>()->value_name("DIR"),
       "write the guest's ACPI tables to DIR, one file each, and exit")
    ("version", "show the version and exit")
    ("help,h", "show this and exit");
  // clang-format on
  return options;
}

Result<void> CheckChoice(std::string_view option, const std::string& value,
                         std::span<const std::string_view> choices) {
  std::string list;
  for (const std::string_view choice : choices) {
    if (value == choice) {
      return {};
    }
    list += fmt::format("{}{}", list.empty() ? "" : ", ", choice);
  }
  return Fail(ErrorCode::kInvalidArgument, "{} {}: must be one of {}", option, value, list);
}

/// The values that name a descriptor are descriptors, and not the same one twice.
Result<void> CheckDescriptors(const po::variables_map& values) {
  std::map<int, std::string> options;
  for (const std::string option : {"kernel", "initrd", "control", "serial"}) {
    if (!values.contains(option) || !IsDescriptorName(values[option].as<std::string>())) {
      continue;
    }
    const std::string value = values[option].as<std::string>();
    const auto descriptor = DescriptorOf(value);
    if (!descriptor) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--{} {}: not a descriptor that can be passed; write fd:N with N from 3 on (0, 1 "
                  "and 2 are tidevm's own)",
                  option, value);
    }
    const auto [other, is_new] = options.emplace(*descriptor, option);
    if (!is_new) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--{} {}: the same descriptor as that of --{}; pass one for each", option, value,
                  other->second);
    }
  }
  return {};
}

Result<Command> ToCommand(const po::variables_map& values) {
  const auto text = [&](const char* key) {
    return values.contains(key) ? values[key].as<std::string>() : std::string();
  };
  if (values.contains("help")) {
    std::ostringstream help;
    help << "tidevm - " << kSummary << "\n\n"
         << Indented(kUsage, "Usage: ", "       ") << "\n"
         << Describe() << "\nExamples:\n"
         << Indented(kExamples, "  ", "  ") << "\nExit status: " << ExitCodes() << ".\n"
         << kNotes;
    return ShowText{help.str()};
  }
  if (values.contains("version")) {
    return ShowText{"tidevm " TIDEVM_VERSION "\n"};
  }
  if (auto checked = CheckChoice("--log-format", text("log-format"), kLogFormats); !checked) {
    return tl::make_unexpected(checked.error());
  }
  if (values.contains("check-host")) {
    return CheckHostRequest{text("kvm")};
  }
  if (values.contains("show-seccomp")) {
    return ShowSeccompRequest{};
  }
  const auto cpus = ParseCpus(text("cpus"));
  if (!cpus) {
    return tl::make_unexpected(cpus.error());
  }
  if (values.contains("dump-acpi")) {
    return DumpAcpiRequest{.directory = text("dump-acpi"), .cpus = *cpus};
  }
  if (!values.contains("kernel")) {
    return Fail(ErrorCode::kInvalidArgument,
                "no --kernel: name a guest kernel, for example --kernel /boot/vmlinuz (--help "
                "shows all options)");
  }
  if (auto checked = CheckDescriptors(values); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const auto memory = ParseMemory(text("memory"));
  if (!memory) {
    return tl::make_unexpected(memory.error());
  }
  if (auto checked = CheckChoice("--log-level", text("log-level"), kLogLevels); !checked) {
    return tl::make_unexpected(checked.error());
  }
  if (auto checked = CheckChoice("--seccomp", text("seccomp"), sandbox::kModeNames); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const auto* const seccomp = std::ranges::find(sandbox::kModeNames, text("seccomp"));
  if (values.contains("paused") && !values.contains("control")) {
    return Fail(ErrorCode::kInvalidArgument,
                "--paused without --control: nobody could start the guest; add --control PATH");
  }
  return MachineOptions{
      .name = text("name"),
      .kernel = text("kernel"),
      .initrd = text("initrd"),
      .command_line = text("cmdline"),
      .memory_bytes = *memory,
      .cpus = *cpus,
      .control = text("control"),
      .serial = text("serial"),
      .kvm_path = text("kvm"),
      .log_level = text("log-level"),
      .log_format = text("log-format") == "json" ? LogFormat::kJson : LogFormat::kText,
      .seccomp = static_cast<sandbox::Mode>(seccomp - sandbox::kModeNames.begin()),
      .paused = values.contains("paused")};
}

// The library has it as "NAME", "NAME (=DEFAULT)" or, where there is no value, "".
OptionText ToText(const po::option_description& option) {
  OptionText text{.name = option.long_name(), .text = option.description()};
  const std::string letter =
      option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  if (letter.size() == 2) {
    text.letter = letter[1];
  }
  text.value = option.format_parameter();
  constexpr std::string_view kDefault = " (=";
  if (const std::size_t at = text.value.find(kDefault); at != std::string::npos) {
    text.default_value = text.value.substr(at + kDefault.size());
    text.default_value.pop_back();
    text.value.resize(at);
  }
  if (text.name == "log-level") {
    text.choices.assign(kLogLevels.begin(), kLogLevels.end());
  } else if (text.name == "log-format") {
    text.choices.assign(kLogFormats.begin(), kLogFormats.end());
  } else if (text.name == "serial") {
    text.choices.assign(kSerials.begin(), kSerials.end());
  } else if (text.name == "seccomp") {
    text.choices.assign(sandbox::kModeNames.begin(), sandbox::kModeNames.end());
  }
  return text;
}

}  // namespace

ManualText DescribeProgram() {
  ManualText text{.summary = kSummary,
                  .usage = kUsage,
                  .exit_codes = {kExitCodes.begin(), kExitCodes.end()},
                  .notes = kNotes,
                  .examples = kExamples,
                  .options = {}};
  const po::options_description described = Describe();
  for (const auto& option : described.options()) {
    text.options.push_back(ToText(*option));
  }
  return text;
}

Result<Command> ParseCommandLine(int argc, const char* const* argv) {
  // The library reports through exceptions; they end here.
  try {
    po::variables_map values;
    po::store(
        po::command_line_parser(argc, argv).options(Describe()).positional({}).style(kStyle).run(),
        values);
    po::notify(values);
    return ToCommand(values);
  } catch (const po::error& error) {
    return Fail(ErrorCode::kInvalidArgument, "{} (--help shows all options)", error.what());
  }
}

LogFormat RequestedLogFormat(int argc, const char* const* argv) {
  try {
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv)
                  .options(Describe())
                  .style(kStyle)
                  .allow_unregistered()
                  .run(),
              values);
    return values["log-format"].as<std::string>() == "json" ? LogFormat::kJson : LogFormat::kText;
  } catch (const po::error&) {
    return LogFormat::kText;  // ParseCommandLine() says what is wrong
  }
}

Result<CpuOptions> ParseCpus(std::string_view text) {
  CpuOptions options;
  bool max_given = false;
  for (std::size_t position = 0; position <= text.size();) {
    const std::string_view item = text.substr(position, text.find(',', position) - position);
    position += item.size() + 1;
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--cpus {}: \"{}\" is not KEY=NUMBER; write it like boot=1,max=8", text, item);
    }
    const std::string_view key = item.substr(0, equals);
    const auto value = ParseCount(key, item.substr(equals + 1));
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    if (key == "boot") {
      options.boot = *value;
    } else if (key == "max") {
      options.max = *value;
      max_given = true;
    } else if (key == "sockets") {
      options.topology.sockets = *value;
    } else if (key == "cores") {
      options.topology.cores = *value;
    } else if (key == "threads") {
      options.topology.threads = *value;
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "--cpus {}: no key \"{}\"; there are boot, max, sockets, cores and threads", text,
                  key);
    }
  }
  if (!max_given) {
    options.max = options.boot;
  }
  if (options.boot > options.max) {
    return Fail(ErrorCode::kInvalidArgument,
                "--cpus boot={},max={}: boot must not be above max; lower boot or raise max",
                options.boot, options.max);
  }
  return options;
}

Result<std::uint64_t> ParseMemory(std::string_view text) {
  std::uint64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  const std::string_view suffix(end, static_cast<std::size_t>(last - end));
  unsigned shift = 20;
  if (suffix == "K" || suffix == "k") {
    shift = 10;
  } else if (suffix == "G" || suffix == "g") {
    shift = 30;
  } else if (!suffix.empty() && suffix != "M" && suffix != "m") {
    shift = 64;
  }
  if (error != std::errc{} || shift == 64) {
    return Fail(ErrorCode::kInvalidArgument, "--memory {}: not a size; write it like 512M or 2G",
                text);
  }
  if (value > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return Fail(ErrorCode::kInvalidArgument, "--memory {}: more than 64 bits can count", text);
  }
  return value << shift;
}

}  // namespace tidevm::machine
