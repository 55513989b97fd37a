// What each command does.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tools/tidectl/options.h"
#include "tools/tidectl/qmp_client.h"
#include "tools/tidectl/render.h"
#include "tools/tidectl/screen.h"

namespace tidevm::tidectl {

enum ExitCode : int { kExitHappened = 0, kExitFailed = 1, kExitUsage = 2, kExitTimeout = 3 };

/// Where a command writes to. Lines are flushed as they are written.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  Style style{};
  std::function<ScreenSize()> screen{};  // the size of `out` now; empty: no terminal
};

/// The whole of tidectl but for the process around it: `words` without the program's name. Gives
/// the exit code.
int RunTidectl(std::vector<std::string> words, const char* environment_socket, Terminal& terminal);

/// What a command works with. `client` is connected.
struct Session {
  const Options& options;
  QmpClient& client;
  Terminal& terminal;
  Deadline deadline;
};

/// Prints the failure in one line and gives its exit code.
int Report(const Failure& failure, Terminal& terminal);
/// The same for a command line that is wrong.
int ReportUsage(const std::string& message, Terminal& terminal);
/// The first argument is none: ReportUsage() with words about that.
int NotAVcpu(Session& session);
/// Prints `text`, or, with --json, `json` in one line.
void Print(const Session& session, const std::string& text, const Json& json);

// In cpu_commands.cpp.
int RunVcpus(Session& session);
int RunAffinity(Session& session);

// In watch.cpp.
int RunWatch(Session& session);

// In operation_commands.cpp.
int RunSetVcpus(Session& session);
int RunPlug(Session& session);
int RunUnplug(Session& session);
int RunOperations(Session& session);
int RunCancel(Session& session);

}  // namespace tidevm::tidectl
