// What tidectl says about itself. The one source of its help; the option checks read it too.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tidevm::tidectl {

struct CommandHelp {
  std::string_view name;
  std::string_view arguments;  // as in the usage line
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  bool takes_wait = false;
  std::string_view summary;  // one line, for the list
  std::string_view details;  // paragraphs, for the command's own help
  std::string_view examples;
};

std::span<const CommandHelp> AllCommands();
const CommandHelp* FindCommand(std::string_view name);  // null: none

std::string GeneralHelp();
std::string HelpFor(const CommandHelp& command);
std::string VersionText();

}  // namespace tidevm::tidectl
