#include <spdlog/fmt/fmt.h>

#include "tools/manual/manual.h"

namespace tidevm::manual {
namespace {

// For a description within _arguments or _describe, within single quotes.
std::string Quoted(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\'') {
      result += "'\\''";
      continue;
    }
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') {
      result += '\\';
    }
    result += letter;
  }
  return result;
}

// A list shows one line: the first clause will do.
std::string_view Brief(std::string_view text) {
  return text.substr(0, std::min(text.find("; "), text.find(". ")));
}

std::string Action(const Option& option) {
  if (!option.choices.empty()) {
    std::string words;
    for (const std::string& choice : option.choices) {
      words += (words.empty() ? "" : " ") + Quoted(choice);
    }
    return fmt::format("({})", words);
  }
  switch (option.completes) {
    case Completes::kFile:
      return "_files";
    case Completes::kFolder:
      return "_files -/";
    case Completes::kNothing:
      break;
  }
  return " ";
}

// One for each way to write it; _arguments is told that they exclude one another.
std::string Spec(const Option& option) {
  const std::string value =
      option.value.empty()
          ? ""
          : fmt::format("{}:{}:{}", option.value_optional ? ":" : "", option.value, Action(option));
  const std::string rest = fmt::format("[{}]{}'\n", Quoted(Brief(option.text)), value);
  const std::string equals = option.value.empty() ? "" : option.value_optional ? "=-" : "=";
  if (option.letter == 0) {
    return fmt::format("    '--{}{}{}", option.name, equals, rest);
  }
  const std::string other = fmt::format("(-{} --{})", option.letter, option.name);
  return fmt::format("    '{0}-{1}{2}{3}    '{0}--{4}{5}{3}", other, option.letter,
                     option.value.empty() ? "" : "+", rest, option.name, equals);
}

}  // namespace

std::string ZshCompletion(const Program& program) {
  std::string everywhere;
  std::string some;
  std::string commands;
  std::string takers;
  for (const Option& option : program.options) {
    (option.some_commands_only ? some : everywhere) += Spec(option);
  }
  for (const Command& command : program.commands) {
    commands += fmt::format("    '{}:{}'\n", command.name, Quoted(command.summary));
    if (!command.options.empty()) {
      takers += (takers.empty() ? "" : "|") + command.name;
    }
  }
  std::string text =
      fmt::format("#compdef {}\n\nlocal -a specs\nspecs=(\n{})\n", program.name, everywhere);
  if (program.commands.empty()) {
    return text + "_arguments -S : $specs\n";
  }
  return text + fmt::format(R"(local -a names
names=(
{}  )
if (( ${{words[(I)({})]}} )); then
  specs+=(
{}  )
fi
local context state state_descr line
typeset -A opt_args
_arguments -S : $specs '1:command:->command' '*: :->argument'
if [[ $state == command ]]; then
  _describe -t commands command names
fi
)",
                            commands, takers, some);
}

}  // namespace tidevm::manual
