#include <spdlog/fmt/fmt.h>

#include <map>

#include "tools/manual/manual.h"

namespace tidevm::manual {
namespace {

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? std::string() : std::string(separator)) + word;
  }
  return text;
}

std::vector<std::string> SpellingsOf(const Option& option) {
  std::vector<std::string> spellings;
  if (option.letter != 0) {
    spellings.push_back(fmt::format("-{}", option.letter));
  }
  spellings.push_back("--" + option.name);
  return spellings;
}

// What follows an option that takes a value. One that may go without it leaves room for others.
std::string ValueCase(const Option& option) {
  std::string action;
  if (!option.choices.empty()) {
    action = fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")",
                         Join(option.choices, " "));
  } else if (option.completes == Completes::kFile) {
    action = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
  } else if (option.completes == Completes::kFolder) {
    action = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
  }
  const std::string guard = option.value_optional ? "[[ $cur == -* ]] || { " : "";
  return fmt::format("    {}) {}{}{}return{} ;;\n", Join(SpellingsOf(option), "|"), guard, action,
                     action.empty() ? "" : "; ", option.value_optional ? "; }" : "");
}

}  // namespace

std::string BashCompletion(const Program& program) {
  std::string value_cases;
  std::vector<std::string> with_value;
  std::vector<std::string> everywhere;
  std::vector<std::string> all;
  std::vector<std::string> commands;
  for (const Option& option : program.options) {
    const auto spellings = SpellingsOf(option);
    if (!option.value.empty()) {
      value_cases += ValueCase(option);
      if (!option.value_optional) {
        with_value.insert(with_value.end(), spellings.begin(), spellings.end());
      }
    }
    all.insert(all.end(), spellings.begin(), spellings.end());
    if (!option.some_commands_only) {
      everywhere.insert(everywhere.end(), spellings.begin(), spellings.end());
    }
  }
  for (const Command& command : program.commands) {
    commands.push_back(command.name);
  }
  std::map<std::string, std::vector<std::string>> commands_by_options;
  for (const Command& command : program.commands) {
    if (!command.options.empty()) {
      commands_by_options["--" + Join(command.options, " --")].push_back(command.name);
    }
  }
  std::string own_options = fmt::format("      '') options='{}' ;;\n", Join(all, " "));
  for (const auto& [options, names] : commands_by_options) {
    own_options += fmt::format("      {}) options+=' {}' ;;\n", Join(names, "|"), options);
  }
  // readline makes three words of --wait=online.
  return fmt::format(R"(# bash completion for {0}, made with it
_{0}() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command='' i
  COMPREPLY=()
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  case $prev in
{1}  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      {2})
        [[ ${{COMP_WORDS[i + 1]}} != '=' ]] || i=$((i + 1))
        i=$((i + 1))
        ;;
      '=') i=$((i + 1)) ;;
      -*) ;;
      *)
        command=${{COMP_WORDS[i]}}
        break
        ;;
    esac
  done
  if [[ $cur == -* ]]; then
    local options='{3}'
    case $command in
{4}    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W '{5}' -- "$cur")
  fi
}}
complete -F _{0} {0}
)",
                     program.name, value_cases, Join(with_value, "|"), Join(everywhere, " "),
                     own_options, Join(commands, " "));
}

}  // namespace tidevm::manual
