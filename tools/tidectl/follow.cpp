#include "tools/tidectl/follow.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "tools/tidectl/duration.h"
#include "tools/tidectl/progress.h"
#include "tools/tidectl/render_progress.h"

namespace tidevm::tidectl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{100};  // of the running times on a terminal

class Follower {
 public:
  explicit Follower(Session& session)
      : session_(session), live_(session.terminal.screen && !session.options.json) {}

  void Begin(const Json& operation) {
    const auto [entry, is_new] = followed_.try_emplace(operation.value("id", std::uint64_t{0}),
                                                       Followed{Progress(operation), Clock::now()});
    for (const Json& data : Progress::PhasesOf(operation)) {
      Take(entry->second, data);
    }
  }

  void OnEvent(const Json& event) {
    if (event.value("event", "") != "VCPU_OPERATION") {
      return;
    }
    const Json data = event.value("data", Json::object());
    const auto found = followed_.find(data.value("id", std::uint64_t{0}));
    if (found != followed_.end()) {
      Take(found->second, data);
    }
  }

  bool Finished() const { return !Has(Verdict::kWaiting); }

  /// When to look up again though no event has come.
  Deadline WakeUp() const {
    return live_ ? std::min(session_.deadline, Clock::now() + kTick) : session_.deadline;
  }

  void Draw() {
    if (live_ && !followed_.empty()) {
      DrawFor(session_.terminal.screen());
    }
  }

  FollowResult Conclude() {
    const bool finished = Finished();
    if (live_ && finished && !followed_.empty()) {  // all of them, however many rows there are
      DrawFor({.rows = followed_.size() + 1, .columns = session_.terminal.screen().columns});
    }
    CpuSet offline;
    for (const auto& [id, followed] : followed_) {
      const Progress& progress = followed.progress;
      const Verdict verdict = progress.For(session_.options.wait);
      if (verdict == Verdict::kOnlineUnknown) {
        Complain(fmt::format("vCPU {}: registered; whether it is online this guest does not tell",
                             progress.cpu()));
      } else if (verdict == Verdict::kWaiting) {
        Complain(
            fmt::format("timed out: vCPU {} {} is still at \"{}\"; the request goes on in the "
                        "VM ('tidectl cancel {}' ends it)",
                        progress.cpu(), progress.kind(), progress.phase(), id));
      }
      if ((verdict == Verdict::kWaiting || verdict == Verdict::kTimedOut) &&
          progress.LacksOnline()) {
        offline.Insert(progress.cpu());
      }
    }
    if (!offline.empty()) {
      Complain(OnlineAdvice(offline));
    }
    if (Has(Verdict::kFailed) || Has(Verdict::kOnlineUnknown)) {
      return {kExitFailed, Summary("failed")};
    }
    if (Has(Verdict::kTimedOut) || !finished) {
      return {kExitTimeout, Summary("timeout")};
    }
    return {kExitHappened, Summary("done")};
  }

 private:
  struct Followed {
    Progress progress;
    Clock::time_point heard;  // when the last phase was
  };

  void Take(Followed& followed, const Json& data) {
    if (!followed.progress.Take(data)) {
      return;
    }
    followed.heard = Clock::now();
    if (!live_) {
      Print(session_, RenderPhase(data, session_.terminal.style) + "\n", data);
    }
  }

  bool Has(Verdict verdict) const {
    return std::any_of(followed_.begin(), followed_.end(), [&](const auto& entry) {
      return entry.second.progress.For(session_.options.wait) == verdict;
    });
  }

  void DrawFor(const ScreenSize& screen) {
    std::vector<const Progress*> operations;
    std::vector<std::chrono::nanoseconds> ages;
    const auto now = Clock::now();
    for (const auto& [id, followed] : followed_) {
      const Progress& progress = followed.progress;
      operations.push_back(&progress);
      ages.push_back(progress.since_request() +
                     (progress.Ended() ? Clock::duration::zero() : now - followed.heard));
    }
    session_.terminal.out << lines_.Redraw(
                                 RenderProgress(operations, ages, screen, session_.terminal.style))
                          << std::flush;
  }

  void Complain(const std::string& message) const {
    session_.terminal.err << "tidectl: " << message << std::endl;
  }

  Json Summary(std::string_view result) const {
    Json operations = Json::array();
    for (const auto& [id, followed] : followed_) {
      operations.push_back(followed.progress.latest());
    }
    return {{"result", result}, {"operations", operations}};
  }

  Session& session_;
  bool live_;
  std::map<std::uint64_t, Followed> followed_;
  LiveLines lines_;
};

}  // namespace

FollowResult Follow(Session& session, const Json& operations) {
  Follower follower(session);
  for (const Json& operation : operations) {
    follower.Begin(operation);
  }
  while (!follower.Finished()) {
    follower.Draw();
    const auto event = session.client.NextEvent(follower.WakeUp());
    if (!event) {
      return {Report(event.error(), session.terminal), nullptr};
    }
    if (*event) {
      follower.OnEvent(**event);
    } else if (Clock::now() >= session.deadline) {
      break;
    }
  }
  return follower.Conclude();
}

int Finish(Session& session, const FollowResult& result) {
  if (session.options.json && !result.summary.is_null()) {
    Print(session, "", result.summary);
  }
  return result.exit_code;
}

std::string OnlineAdvice(const CpuSet& cpus) {
  const bool one = cpus.size() == 1;
  return fmt::format(
      "the guest has registered vCPU{} {} but nothing in it puts {} online; install tidevm's udev "
      "rule in the guest (share/doc/tidevm/guests.md says how) or run there: echo 1 > "
      "/sys/devices/system/cpu/cpuN/online",
      one ? "" : "s", cpus.ToString(), one ? "it" : "them");
}

}  // namespace tidevm::tidectl
