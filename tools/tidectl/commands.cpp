#include "tools/tidectl/commands.h"

#include <array>
#include <chrono>
#include <utility>

#include "tools/tidectl/help.h"
#include "tools/tidectl/metrics_text.h"

namespace tidevm::tidectl {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};
constexpr std::chrono::seconds kWaitTimeout{30};
constexpr std::chrono::seconds kDeadlineMargin{5};

int RunEvents(Session& session) {
  while (true) {
    const auto event = session.client.NextEvent(session.deadline);
    if (!event) {
      return Report(event.error(), session.terminal);
    }
    if (!*event) {
      return kExitHappened;  // listened for as long as was asked
    }
    Print(session, RenderEvent(**event, session.terminal.style) + "\n", **event);
  }
}

int RunStatus(Session& session) {
  std::array<Json, 3> answers;
  constexpr std::array<const char*, 3> kQueries = {"query-status", "query-name", "query-vcpus"};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto answer = session.client.Execute(kQueries.at(i), {}, session.deadline);
    if (!answer) {
      return Report(answer.error(), session.terminal);
    }
    answers.at(i) = *std::move(answer);
  }
  const auto& [status, name, vcpus] = answers;
  Json json = status;
  json.update(name);
  json["vcpus"] = vcpus;
  Print(session, RenderStatus(status, name, vcpus), json);
  return kExitHappened;
}

// A command without arguments whose answer says nothing but that it was taken.
int RunPlain(Session& session, const char* command, std::string_view done) {
  const auto answer = session.client.Execute(command, {}, session.deadline);
  if (!answer) {
    return Report(answer.error(), session.terminal);
  }
  Print(session, fmt::format("{}\n", done), *answer);
  return kExitHappened;
}

int RunQmp(Session& session) {
  const auto& words = session.options.arguments;
  const bool whole = words[0].starts_with('{');
  Json request = Json{{"execute", words[0]}};
  if (whole) {
    request = Json::parse(words[0], nullptr, /*allow_exceptions=*/false);
  } else if (words.size() == 2) {
    request["arguments"] = Json::parse(words[1], nullptr, /*allow_exceptions=*/false);
  }
  if (request.is_discarded() || request.value("arguments", Json()).is_discarded() ||
      (whole && words.size() == 2)) {
    return ReportUsage(
        "qmp: not valid JSON; give a request in {}, or a command's name and its arguments in {}",
        session.terminal);
  }
  const auto answer = session.client.Call(request, session.deadline);
  if (!answer) {
    return Report(answer.error(), session.terminal);
  }
  const auto error = answer->find("error");
  if (session.options.json) {
    Print(session, "", *answer);
  } else if (error == answer->end()) {
    Print(session, answer->value("return", Json()).dump(2) + "\n", *answer);
  }
  if (error == answer->end()) {
    return kExitHappened;
  }
  return Report({FailureKind::kRefused,
                 fmt::format("{} ({})", error->value("desc", ""), error->value("class", ""))},
                session.terminal);
}

int RunMetrics(Session& session) {
  const auto metrics = session.client.Execute("query-metrics", {}, session.deadline);
  if (!metrics) {
    return Report(metrics.error(), session.terminal);
  }
  Print(session, MetricsText(*metrics), *metrics);
  return kExitHappened;
}

int RunPowerdown(Session& session) {
  return RunPlain(session, "system_powerdown", "power button pressed");
}
int RunReset(Session& session) { return RunPlain(session, "system_reset", "reset"); }
int RunStop(Session& session) { return RunPlain(session, "stop", "paused"); }
int RunCont(Session& session) { return RunPlain(session, "cont", "running"); }
int RunQuit(Session& session) { return RunPlain(session, "quit", "ended"); }

int RunCommand(Session& session) {
  struct Entry {
    std::string_view name;
    int (*run)(Session&);
  };
  static constexpr std::array kEntries = {
      Entry{"vcpus", RunVcpus},
      Entry{"set-vcpus", RunSetVcpus},
      Entry{"plug", RunPlug},
      Entry{"unplug", RunUnplug},
      Entry{"operations", RunOperations},
      Entry{"cancel", RunCancel},
      Entry{"affinity", RunAffinity},
      Entry{"watch", RunWatch},
      Entry{"metrics", RunMetrics},
      Entry{"events", RunEvents},
      Entry{"status", RunStatus},
      Entry{"powerdown", RunPowerdown},
      Entry{"reset", RunReset},
      Entry{"stop", RunStop},
      Entry{"cont", RunCont},
      Entry{"quit", RunQuit},
      Entry{"qmp", RunQmp},
  };
  for (const Entry& entry : kEntries) {
    if (session.options.command == entry.name) {
      return entry.run(session);
    }
  }
  return ReportUsage(fmt::format("there is no command {}", session.options.command),
                     session.terminal);
}

// Until when: what --timeout says, else what suits the command.
Deadline DeadlineOf(const Options& options) {
  const auto now = std::chrono::steady_clock::now();
  if (options.timeout) {
    return now + *options.timeout;
  }
  if (options.command == "events" || options.command == "watch") {
    return kNever;
  }
  if (options.wait == WaitFor::kNothing) {
    return now + kAnswerTimeout;
  }
  // The VM gives up first, and says why.
  return now + (options.deadline ? *options.deadline + kDeadlineMargin : kWaitTimeout);
}

}  // namespace

int Report(const Failure& failure, Terminal& terminal) {
  terminal.err << "tidectl: " << failure.message << std::endl;
  return failure.kind == FailureKind::kTimeout ? kExitTimeout : kExitFailed;
}

int ReportUsage(const std::string& message, Terminal& terminal) {
  terminal.err << "tidectl: " << message << std::endl;
  return kExitUsage;
}

void Print(const Session& session, const std::string& text, const Json& json) {
  if (session.options.json) {
    session.terminal.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    session.terminal.out << text << std::flush;
  }
}

int RunTidectl(std::vector<std::string> words, const char* environment_socket, Terminal& terminal) {
  const auto options = ParseOptions(std::move(words), environment_socket);
  if (!options) {
    return ReportUsage(options.error().message, terminal);
  }
  if (options->help) {
    const CommandHelp* const command = FindCommand(options->command);
    terminal.out << (command != nullptr ? HelpFor(*command) : GeneralHelp()) << std::flush;
    return kExitHappened;
  }
  if (options->version) {
    terminal.out << VersionText() << std::flush;
    return kExitHappened;
  }
  const Deadline deadline = DeadlineOf(*options);
  auto client = QmpClient::Connect(options->socket, deadline);
  if (!client) {
    return Report(client.error(), terminal);
  }
  Session session{*options, *client, terminal, deadline};
  return RunCommand(session);
}

}  // namespace tidevm::tidectl
