#include "tools/tidectl/options.h"

#include <utility>

#include <boost/program_options.hpp>

#include "tools/tidectl/duration.h"
#include "tools/tidectl/help.h"

namespace tidevm::tidectl {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kDefaultSocket = "./tidevm.sock";

tl::unexpected<Error> Usage(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, "{}; see 'tidectl --help'", message);
}

Result<WaitFor> ParseWait(const std::string& text) {
  if (text == "done") {
    return WaitFor::kDone;
  }
  if (text == "online") {
    return WaitFor::kOnline;
  }
  if (text == "registered") {
    return WaitFor::kRegistered;
  }
  if (text == "removed") {
    return WaitFor::kRemoved;
  }
  return Usage(fmt::format("--wait takes online, registered or removed, not \"{}\"", text));
}

// The library would take whatever word follows --wait for its value, a vCPU count too. People write
// "--wait registered" as well as "--wait=registered", and "--wait" alone: all become the second
// form.
void JoinWait(std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != "--wait") {
      continue;
    }
    if (i + 1 < words.size() && ParseWait(words[i + 1])) {
      words[i] += "=" + words[i + 1];
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    } else {
      words[i] += "=done";
    }
  }
}

Result<po::variables_map> Parse(const std::vector<std::string>& words) {
  po::options_description all;
  for (const OptionHelp& option : AllOptions()) {
    const std::string name = option.letter == 0 ? std::string(option.name)
                                                : fmt::format("{},{}", option.name, option.letter);
    if (option.value.empty()) {
      all.add_options()(name.c_str(), "");
    } else {
      all.add_options()(name.c_str(), po::value<std::string>());
    }
  }
  all.add_options()("command", po::value<std::string>())("argument",
                                                         po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("command", 1).add("argument", -1);
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  po::variables_map values;
  try {
    po::store(po::command_line_parser(words).options(all).positional(positions).style(style).run(),
              values);
  } catch (const po::error& error) {  // the one place where the library's exceptions end
    return Usage(error.what());
  }
  return values;
}

// An option that is a time; nullopt where it was not given.
Result<std::optional<std::chrono::milliseconds>> DurationOf(const po::variables_map& values,
                                                            const std::string& name) {
  if (values.count(name) == 0) {
    return std::nullopt;
  }
  const auto duration = ParseDuration(values[name].as<std::string>());
  if (!duration) {
    return Chain(duration.error(), "--" + name);
  }
  return *duration;
}

Result<void> CheckFor(const CommandHelp& command, const Options& options) {
  const std::size_t count = options.arguments.size();
  if (count < command.min_arguments) {
    return Usage(fmt::format("{} needs {}", command.name, command.arguments));
  }
  if (count > command.max_arguments) {
    return Usage(fmt::format("{} does not take \"{}\"", command.name,
                             options.arguments[command.max_arguments]));
  }
  if (options.wait != WaitFor::kNothing && !Takes(command, FindOption("wait"))) {
    return Usage(fmt::format("{} does not take --wait", command.name));
  }
  if (options.deadline && !Takes(command, FindOption("deadline"))) {
    return Usage(fmt::format("{} does not take --deadline", command.name));
  }
  if (command.name == "unplug" &&
      (options.wait == WaitFor::kRegistered || options.wait == WaitFor::kOnline)) {
    return Usage("unplug cannot wait for registered or online; use --wait or --wait=removed");
  }
  if (command.name == "plug" && options.wait == WaitFor::kRemoved) {
    return Usage("plug cannot wait for removed; use --wait, --wait=online or --wait=registered");
  }
  return {};
}

}  // namespace

Result<Options> ParseOptions(std::vector<std::string> words, const char* environment_socket) {
  JoinWait(words);
  const auto values = Parse(words);
  if (!values) {
    return tl::make_unexpected(values.error());
  }
  Options options;
  options.help = values->count("help") > 0;
  options.version = values->count("version") > 0;
  options.json = values->count("json") > 0;
  options.socket = kDefaultSocket;
  if (environment_socket != nullptr && *environment_socket != '\0') {
    options.socket = environment_socket;
  }
  if (values->count("socket") > 0) {
    options.socket = (*values)["socket"].as<std::string>();
  }
  if (values->count("argument") > 0) {
    options.arguments = (*values)["argument"].as<std::vector<std::string>>();
  }
  if (values->count("wait") > 0) {
    const auto wait = ParseWait((*values)["wait"].as<std::string>());
    if (!wait) {
      return tl::make_unexpected(wait.error());
    }
    options.wait = *wait;
  }
  const auto timeout = DurationOf(*values, "timeout");
  const auto deadline = DurationOf(*values, "deadline");
  if (!timeout || !deadline) {
    return tl::make_unexpected(!timeout ? timeout.error() : deadline.error());
  }
  options.timeout = *timeout;
  options.deadline = *deadline;
  if (values->count("command") > 0) {
    options.command = (*values)["command"].as<std::string>();
  } else if (!options.help && !options.version) {
    return Usage("no command given");
  }
  if (options.command.empty()) {
    return options;
  }
  const CommandHelp* const command = FindCommand(options.command);
  if (command == nullptr) {
    return Usage(fmt::format("there is no command \"{}\"", options.command));
  }
  if (!options.help) {
    if (auto checked = CheckFor(*command, options); !checked) {
      return tl::make_unexpected(checked.error());
    }
  }
  return options;
}

}  // namespace tidevm::tidectl
