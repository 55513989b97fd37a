// The programs, as they describe themselves.
#include <spdlog/fmt/fmt.h>

#include <sstream>

#include "tools/manual/manual.h"
#include "tools/tidectl/help.h"
#include "vmm/machine/options.h"

namespace tidevm::manual {
namespace {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  std::istringstream stream{std::string(text)};
  for (std::string piece; std::getline(stream, piece, separator);) {
    pieces.push_back(piece);
  }
  return pieces;
}

// Programs name what they take by its kind.
Completes CompletesBy(std::string_view value) {
  if (value == "FILE" || value == "PATH" || value == "SOCK") {
    return Completes::kFile;
  }
  return value == "DIR" ? Completes::kFolder : Completes::kNothing;
}

Program Tidectl() {
  Program program{
      .name = "tidectl", .version = TIDEVM_VERSION, .summary = "talk to a running tidevm"};
  program.usage = {"tidectl [-s SOCK] [--json] COMMAND [ARGUMENT...] [OPTION...]"};
  for (const tidectl::OptionHelp& option : tidectl::AllOptions()) {
    program.options.push_back({.name = std::string(option.name),
                               .letter = option.letter,
                               .value = std::string(option.value),
                               .value_optional = option.value_optional,
                               .choices = Split(option.choices, ' '),
                               .completes = CompletesBy(option.value),
                               .some_commands_only = option.for_operations,
                               .text = std::string(option.text)});
  }
  for (const tidectl::CommandHelp& command : tidectl::AllCommands()) {
    std::vector<std::string> options;
    for (const Option& option : program.options) {
      if (option.some_commands_only && tidectl::Takes(command, tidectl::FindOption(option.name))) {
        options.push_back(option.name);
      }
    }
    program.commands.push_back({.name = std::string(command.name),
                                .arguments = std::string(command.arguments),
                                .options = std::move(options),
                                .summary = std::string(command.summary),
                                .details = std::string(command.details),
                                .examples = std::string(command.examples)});
  }
  for (const tidectl::ExitCodeHelp& exit_code : tidectl::AllExitCodes()) {
    program.exit_codes.emplace_back(exit_code.code, exit_code.text);
  }
  program.environment = {{"TIDEVM_CONTROL", "the control socket, where --socket does not name it"},
                         {"NO_COLOR", "where it is set and not empty, nothing is coloured"}};
  program.examples = tidectl::GeneralExamples();
  program.see_also = {"tidevm(1)"};
  return program;
}

Program Tidevm() {
  const machine::ManualText text = machine::DescribeProgram();
  Program program{
      .name = "tidevm", .version = TIDEVM_VERSION, .summary = std::string(text.summary)};
  program.usage = Split(text.usage, '\n');
  for (const machine::OptionText& option : text.options) {
    program.options.push_back({.name = option.name,
                               .letter = option.letter,
                               .value = option.value,
                               .default_value = option.default_value,
                               .choices = option.choices,
                               .completes = CompletesBy(option.value),
                               .text = option.text});
  }
  for (const auto& [code, meaning] : text.exit_codes) {
    program.exit_codes.emplace_back(code, meaning);
  }
  for (const std::string& line : Split(text.notes, '\n')) {
    program.notes += (program.notes.empty() ? "" : "\n\n") + line;
  }
  program.examples = text.examples;
  program.see_also = {"tidectl(1)"};
  return program;
}

}  // namespace

std::vector<Program> AllPrograms() { return {Tidevm(), Tidectl()}; }

}  // namespace tidevm::manual
