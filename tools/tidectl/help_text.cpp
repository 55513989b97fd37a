// Help for a terminal of 80 columns.
#include <spdlog/fmt/fmt.h>

#include "tools/tidectl/help.h"

namespace tidevm::tidectl {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kOptionIndent = 24;
constexpr std::size_t kCommandIndent = 20;

// Fills lines of kWidth; the first begins with `start`, those after it with `indent` blanks.
std::string Fill(std::string start, std::string_view text, std::size_t indent) {
  std::string result;
  std::string line = std::move(start);
  line.resize(std::max(line.size(), indent), ' ');
  bool empty = true;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!empty && line.size() + 1 + word.size() > kWidth) {
      result += line + "\n";
      line = std::string(indent, ' ');
      empty = true;
    }
    line += empty ? "" : " ";
    line += word;
    empty = false;
  }
  return result + line + "\n";
}

std::string Paragraphs(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::string_view paragraph = text.substr(0, text.find("\n\n"));
    text.remove_prefix(std::min(text.size(), paragraph.size() + 2));
    result += Fill("", paragraph, 0) + "\n";
  }
  return result;
}

std::string OptionLine(const OptionHelp& option) {
  const std::string start =
      fmt::format("  {}{}", option.letter == 0 ? "    " : "", Spelling(option));
  if (start.size() + 2 > kOptionIndent) {
    return start + "\n" + Fill("", option.text, kOptionIndent);
  }
  return Fill(start, option.text, kOptionIndent);
}

std::string OptionsOf(const CommandHelp* command) {
  std::string text = "Options:\n";
  for (const OptionHelp& option : AllOptions()) {
    if (command == nullptr || Takes(*command, option)) {
      text += OptionLine(option);
    }
  }
  return text + "\n";
}

std::string ExitCodes() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeHelp& exit_code : AllExitCodes()) {
    text += Fill(fmt::format("  {}", exit_code.code), exit_code.text, 5);
  }
  return text + "\n";
}

std::string Examples(std::string_view lines) {
  std::string text = "Examples:\n  ";
  for (const char letter : lines) {
    text += letter;
    text += letter == '\n' ? "  " : "";
  }
  return text + "\n";
}

}  // namespace

std::string Spelling(const OptionHelp& option) {
  std::string text = option.letter == 0 ? "" : fmt::format("-{}, ", option.letter);
  text += fmt::format("--{}", option.name);
  if (!option.value.empty()) {
    text += option.value_optional ? fmt::format("[={}]", option.value)
                                  : fmt::format(" {}", option.value);
  }
  return text;
}

std::string GeneralHelp() {
  std::string text =
      "tidectl - talk to a running tidevm\n\n"
      "Usage: tidectl [-s SOCK] [--json] COMMAND [ARGUMENT...] [OPTION...]\n\n"
      "Commands ('tidectl COMMAND --help' tells more):\n";
  for (const CommandHelp& command : AllCommands()) {
    text += Fill(fmt::format("  {} {}", command.name,
                             command.arguments.size() > 9 ? "..." : command.arguments),
                 command.summary, kCommandIndent + 2);
  }
  return text + "\n" + OptionsOf(nullptr) + ExitCodes() + Examples(GeneralExamples());
}

std::string HelpFor(const CommandHelp& command) {
  return fmt::format("tidectl {0} - {1}\n\nUsage: tidectl {0}{2}{3} [OPTION...]\n\n", command.name,
                     command.summary, command.arguments.empty() ? "" : " ", command.arguments) +
         Paragraphs(command.details) + OptionsOf(&command) + ExitCodes() +
         Examples(command.examples);
}

std::string VersionText() { return "tidectl " TIDEVM_VERSION "\n"; }

}  // namespace tidevm::tidectl
