#include "tools/tidectl/commands.h"

#include <array>
#include <chrono>
#include <utility>

#include "tools/tidectl/help.h"

namespace tidevm::tidectl {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};
constexpr std::chrono::seconds kWaitTimeout{30};

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
    session.terminal.err << "tidectl: qmp: not valid JSON; give a request in {}, or a command's "
                            "name and its arguments in {}"
                         << std::endl;
    return kExitUsage;
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

int RunCommand(Session& session) {
  const std::string& command = session.options.command;
  if (command == "vcpus") {
    return RunVcpus(session);
  }
  if (command == "set-vcpus") {
    return RunSetVcpus(session);
  }
  if (command == "plug") {
    return RunPlug(session);
  }
  if (command == "unplug") {
    return RunUnplug(session);
  }
  if (command == "events") {
    return RunEvents(session);
  }
  if (command == "status") {
    return RunStatus(session);
  }
  if (command == "qmp") {
    return RunQmp(session);
  }
  struct Plain {
    std::string_view name;
    const char* qmp;
    std::string_view done;
  };
  constexpr std::array kPlain = {
      Plain{"powerdown", "system_powerdown", "power button pressed"},
      Plain{"reset", "system_reset", "reset"},
      Plain{"stop", "stop", "paused"},
      Plain{"cont", "cont", "running"},
      Plain{"quit", "quit", "ended"},
  };
  for (const Plain& plain : kPlain) {
    if (command == plain.name) {
      return RunPlain(session, plain.qmp, plain.done);
    }
  }
  session.terminal.err << "tidectl: there is no command " << command << std::endl;
  return kExitUsage;
}

// Until when: what --timeout says, else what suits the command.
Deadline DeadlineOf(const Options& options) {
  const auto now = std::chrono::steady_clock::now();
  if (options.timeout) {
    return now + *options.timeout;
  }
  if (options.command == "events") {
    return kNever;
  }
  return now + (options.wait == WaitFor::kNothing ? kAnswerTimeout : kWaitTimeout);
}

}  // namespace

int Report(const Failure& failure, Terminal& terminal) {
  terminal.err << "tidectl: " << failure.message << std::endl;
  return failure.kind == FailureKind::kTimeout ? kExitTimeout : kExitFailed;
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
    terminal.err << "tidectl: " << options.error().message << std::endl;
    return kExitUsage;
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
