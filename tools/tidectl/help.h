// What tidectl says about itself. The tables here are the one source of its help, its man page and
// its shell completion, and the command line is read by them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tidevm::tidectl {

struct OptionHelp {
  std::string_view name{};
  char letter = 0;           // 0: none
  std::string_view value{};  // what it stands for, in capitals; "": takes none
  bool value_optional = false;
  std::string_view choices{};   // the values there are, a blank between two; "": any
  bool for_operations = false;  // only where the command starts operations
  std::string_view text{};
};

struct CommandHelp {
  std::string_view name{};
  std::string_view arguments{};  // as in the usage line
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  bool starts_operations = false;
  std::string_view summary{};   // one line, for the list
  std::string_view details{};   // paragraphs, an empty line between two; not wrapped
  std::string_view examples{};  // one a line
};

struct ExitCodeHelp {
  int code = 0;
  std::string_view text{};
};

std::span<const OptionHelp> AllOptions();
std::span<const CommandHelp> AllCommands();
std::span<const ExitCodeHelp> AllExitCodes();
std::string_view GeneralExamples();                     // one a line
const CommandHelp* FindCommand(std::string_view name);  // null: none
const OptionHelp& FindOption(std::string_view name);    // one that is there
bool Takes(const CommandHelp& command, const OptionHelp& option);

/// "--wait[=WHAT]", "-s, --socket SOCK".
std::string Spelling(const OptionHelp& option);

std::string GeneralHelp();
std::string HelpFor(const CommandHelp& command);
std::string VersionText();

}  // namespace tidevm::tidectl
