// 'tidectl watch': a live view on a terminal, snapshots elsewhere.
#include <array>
#include <csignal>

#include "tools/tidectl/commands.h"
#include "tools/tidectl/full_screen.h"
#include "tools/tidectl/watch_model.h"
#include "tools/tidectl/watch_view.h"

namespace tidevm::tidectl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRefresh{1};         // for CPU time, which no event tells of
constexpr std::chrono::milliseconds kShortest{50};  // between two refreshes for events' sake
constexpr std::chrono::seconds kAnswerTimeout{3};   // no key is read while an answer is awaited

struct Answers {
  Json status;
  Json name;
  Json vcpus;
  Json operations;
};

CallResult<Answers> Ask(Session& session) {
  Answers answers;
  const std::array<std::pair<const char*, Json*>, 4> queries = {
      {{"query-status", &answers.status},
       {"query-name", &answers.name},
       {"query-vcpus", &answers.vcpus},
       {"query-vcpu-operations", &answers.operations}}};
  for (const auto& [command, answer] : queries) {
    auto result = session.client.Execute(command, {}, Clock::now() + kAnswerTimeout);
    if (!result) {
      return tl::make_unexpected(std::move(result.error()));
    }
    *answer = *std::move(result);
  }
  return answers;
}

// Takes all events that are there. Gives whether there were any.
CallResult<bool> TakeEvents(Session& session) {
  bool any = false;
  while (true) {
    const auto event = session.client.NextEvent(Clock::now());
    if (!event) {
      return tl::make_unexpected(event.error());
    }
    if (!*event) {
      return any;
    }
    any = true;
  }
}

int Snapshots(Session& session) {
  Json last;
  while (true) {
    const auto answers = Ask(session);
    if (!answers) {
      return Report(answers.error(), session.terminal);
    }
    Json snapshot = ToSnapshot(answers->status, answers->vcpus, answers->operations);
    if (Differ(last, snapshot)) {
      session.terminal.out << snapshot.dump(-1, ' ', false, Json::error_handler_t::replace)
                           << std::endl;
      last = std::move(snapshot);
    }
    if (!session.terminal.out) {
      return kExitFailed;  // nobody reads any more
    }
    const auto event =
        session.client.NextEvent(std::min(session.deadline, Clock::now() + kRefresh));
    const auto more = event ? TakeEvents(session) : tl::make_unexpected(event.error());
    if (!more) {
      return Report(more.error(), session.terminal);
    }
    if (Clock::now() >= session.deadline) {
      return kExitHappened;
    }
  }
}

// How the live view ended: told when the terminal is as it was again.
struct Ended {
  std::optional<Failure> failure{};
  int signal = 0;
};

Ended LiveView(Session& session, FullScreen& screen) {
  ShareMeter meter;
  WatchModel model;
  auto sampled = Clock::time_point::min();
  auto next_refresh = Clock::now();
  auto last_refresh = next_refresh - kShortest;
  while (true) {
    const auto now = Clock::now();
    if (now >= session.deadline) {
      return {};
    }
    if (now >= next_refresh) {
      const auto answers = Ask(session);
      if (!answers) {
        return {answers.error()};
      }
      if (sampled + kRefresh <= now) {
        meter.Sample(answers->vcpus, now);
        sampled = now;
      }
      model =
          ToWatchModel(answers->status, answers->name, answers->vcpus, answers->operations, meter);
      last_refresh = now;
      next_refresh = sampled + kRefresh;
    }
    // Those that came while an answer was awaited, too: Wait() does not see them any more.
    const auto events = TakeEvents(session);
    if (!events) {
      return {events.error()};
    }
    if (*events) {
      next_refresh = std::min(next_refresh, std::max(Clock::now(), last_refresh + kShortest));
    }
    screen.Draw(RenderWatch(model, session.terminal.screen(), session.terminal.style));
    const auto happened =
        screen.Wait(session.client.fd(), std::min(next_refresh, session.deadline));
    if (happened.quit) {
      return {std::nullopt, happened.signal};
    }
  }
}

}  // namespace

int RunWatch(Session& session) {
  if (!session.terminal.screen || session.options.json) {
    return Snapshots(session);
  }
  Ended ended;
  {
    auto screen = FullScreen::Take(session.terminal.out);
    if (!screen) {
      return Report({FailureKind::kConnection, screen.error().message}, session.terminal);
    }
    ended = LiveView(session, *screen);
  }
  if (ended.signal != 0) {
    ::raise(ended.signal);  // as it would have ended without the view
  }
  return ended.failure ? Report(*ended.failure, session.terminal) : kExitHappened;
}

}  // namespace tidevm::tidectl
