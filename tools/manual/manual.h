// What a manual is made of, and what is made of it. All text is ASCII.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidevm::manual {

enum class Completes { kNothing, kFile, kFolder };

struct Option {
  std::string name{};
  char letter = 0;      // 0: none
  std::string value{};  // what it stands for, in capitals; "": takes none
  bool value_optional = false;
  std::string default_value{};         // "": none
  std::vector<std::string> choices{};  // the values there are; empty: any
  Completes completes = Completes::kNothing;
  bool some_commands_only = false;  // those that name it in Command::options
  std::string text{};
};

struct Command {
  std::string name{};
  std::string arguments{};             // as in the usage line
  std::vector<std::string> options{};  // of those for some commands only
  std::string summary{};               // one line
  std::string details{};               // paragraphs, an empty line between two
  std::string examples{};              // a line each
};

struct Program {
  std::string name{};
  std::string version{};
  std::string summary{};
  std::vector<std::string> usage{};
  std::vector<Option> options{};
  std::vector<Command> commands{};  // empty: it has none
  std::vector<std::pair<int, std::string>> exit_codes{};
  std::vector<std::pair<std::string, std::string>> environment{};
  std::string notes{};  // as Command::details
  std::string examples{};
  std::vector<std::string> see_also{};  // "tidectl(1)"
};

/// In the order in which they are installed.
std::vector<Program> AllPrograms();

/// man(7). `date`: YYYY-MM-DD.
std::string ManPage(const Program& program, std::string_view date);
/// To be sourced by bash 4.4 or later; needs nothing of the bash-completion package.
std::string BashCompletion(const Program& program);
/// An autoloaded function, _NAME.
std::string ZshCompletion(const Program& program);

}  // namespace tidevm::manual
