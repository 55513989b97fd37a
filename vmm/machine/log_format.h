// What a line of the log looks like.
#pragma once

#include <memory>

namespace spdlog {
class formatter;
}

namespace tidevm::machine {

enum class LogFormat : unsigned char {
  kText,  // tidevm: info: MESSAGE
  kJson,  // {"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"MESSAGE"}
};

/// One line a message, newline included. JSON: the time is UTC; the level is one of --log-level's
/// words; bytes of a message that are not UTF-8 become U+FFFD, so that every line can be parsed.
std::unique_ptr<spdlog::formatter> MakeLogFormatter(LogFormat format);

}  // namespace tidevm::machine
