#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

#include "tools/manual/manual.h"

namespace tidevm::manual {
namespace {

// Text that means itself: groff_char(7) says what would not.
std::string Plain(std::string_view text) {
  std::string result;
  bool line_start = true;
  for (const char letter : text) {
    if (line_start && (letter == '.' || letter == '\'')) {
      result += "\\&";
    }
    line_start = letter == '\n';
    switch (letter) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string Bold(std::string_view text) { return fmt::format("\\fB{}\\fR", Plain(text)); }
std::string Italic(std::string_view text) { return fmt::format("\\fI{}\\fR", Plain(text)); }

std::string Entry(std::string_view formatted_term, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", formatted_term, Plain(text));
}

// Those after the first, within an entry.
std::string MoreParagraphs(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::string_view paragraph = text.substr(0, text.find("\n\n"));
    text.remove_prefix(std::min(text.size(), paragraph.size() + 2));
    result += fmt::format(".IP\n{}\n", Plain(paragraph));
  }
  return result;
}

std::string Options(const Program& program) {
  std::string text = ".SH OPTIONS\n";
  for (const Option& option : program.options) {
    std::string term = option.letter == 0 ? "" : Bold(fmt::format("-{}", option.letter)) + ", ";
    term += Bold("--" + option.name);
    if (!option.value.empty()) {
      term += option.value_optional ? fmt::format("[={}]", Italic(option.value))
                                    : " " + Italic(option.value);
    }
    std::string meaning = option.text;
    if (!option.default_value.empty()) {
      meaning += fmt::format(" (else {})", option.default_value);
    }
    if (option.some_commands_only) {
      std::string commands;
      for (const Command& command : program.commands) {
        if (std::find(command.options.begin(), command.options.end(), option.name) !=
            command.options.end()) {
          commands += (commands.empty() ? "" : ", ") + command.name;
        }
      }
      meaning += fmt::format(" (with {})", commands);
    }
    text += Entry(term, meaning);
  }
  return text;
}

std::string Commands(const Program& program) {
  std::string text = program.commands.empty() ? "" : ".SH COMMANDS\n";
  for (const Command& command : program.commands) {
    const std::string arguments = command.arguments.empty() ? "" : " " + Italic(command.arguments);
    text += Entry(Bold(command.name) + arguments, command.summary + ".") +
            MoreParagraphs(command.details);
  }
  return text;
}

std::string Examples(const Program& program) {
  std::string lines = program.examples;
  for (const Command& command : program.commands) {
    for (std::size_t start = 0; start < command.examples.size();) {
      const std::string line =
          command.examples.substr(start, command.examples.find('\n', start) - start);
      start += line.size() + 1;
      if (("\n" + lines + "\n").find("\n" + line + "\n") == std::string::npos) {
        lines += (lines.empty() || lines.ends_with('\n') ? "" : "\n") + line;
      }
    }
  }
  return fmt::format(".SH EXAMPLES\n.EX\n{}{}.EE\n", Plain(lines),
                     lines.ends_with('\n') ? "" : "\n");
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return text;
}

}  // namespace

std::string ManPage(const Program& program, std::string_view date) {
  std::string text = fmt::format(
      ".TH {} 1 {} \"tidevm {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.nf\n",
      Upper(program.name), date, program.version, program.name, Plain(program.summary));
  for (const std::string& line : program.usage) {
    text += Bold(program.name) + Plain(line.substr(program.name.size())) + "\n";
  }
  text += ".fi\n" + Commands(program) + Options(program);
  text += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : program.exit_codes) {
    text += Entry(Bold(std::to_string(code)), meaning);
  }
  if (!program.environment.empty()) {
    text += ".SH ENVIRONMENT\n";
    for (const auto& [name, meaning] : program.environment) {
      text += Entry(Bold(name), meaning);
    }
  }
  if (!program.notes.empty()) {
    text += ".SH NOTES\n" + Plain(program.notes.substr(0, program.notes.find("\n\n"))) + "\n";
    for (std::size_t at = program.notes.find("\n\n"); at != std::string::npos;) {
      const std::size_t next = program.notes.find("\n\n", at + 2);
      text += ".PP\n" + Plain(program.notes.substr(at + 2, next - at - 2)) + "\n";
      at = next;
    }
  }
  text += Examples(program) + ".SH SEE ALSO\n";
  for (const std::string& page : program.see_also) {
    const std::size_t paren = page.find('(');
    text += fmt::format("{}{}{}\n", Bold(page.substr(0, paren)), page.substr(paren),
                        &page == &program.see_also.back() ? "" : ",");
  }
  return text;
}

}  // namespace tidevm::manual
