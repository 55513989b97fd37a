#include "tools/tidectl/follow.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tools/tidectl/duration.h"

namespace tidevm::tidectl {
namespace {

// One operation, as far as this client has heard of it. The answer that names it and the events
// overlap in time, so each phase is shown once, whichever brings it first.
struct Followed {
  Json latest;  // shaped as a VCPU_OPERATION event's data
  std::set<std::string> phases;

  std::string Get(const char* member) const { return latest.value(member, std::string()); }
  bool Ended() const { return Get("outcome") != "pending"; }
};

class Follower {
 public:
  explicit Follower(Session& session) : session_(session) {}

  void Begin(const Json& operation) {
    const auto id = operation.value("id", std::uint64_t{0});
    Followed& followed = followed_[id];
    const Json phases = operation.value("phases", Json::array());
    Json data = operation;
    data.erase("phases");
    const std::string outcome = operation.value("outcome", "pending");
    for (std::size_t i = 0; i < phases.size(); ++i) {
      data.update(phases[i]);
      // The outcome belongs to the last phase.
      data["outcome"] = i + 1 == phases.size() ? outcome : "pending";
      Take(followed, data);
    }
    if (phases.empty()) {
      followed.latest = std::move(data);
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

  bool Finished() const {
    return std::all_of(followed_.begin(), followed_.end(),
                       [this](const auto& entry) { return IsSatisfied(entry.second); });
  }

  int Verdict() const {
    bool happened = true;
    for (const auto& [id, followed] : followed_) {
      happened = happened && (!followed.Ended() || followed.Get("outcome") == "done");
    }
    Summarize(happened ? "done" : "failed");
    return happened ? kExitHappened : kExitFailed;
  }

  int TimedOut() const {
    Summarize("timeout");
    for (const auto& [id, followed] : followed_) {
      if (!IsSatisfied(followed)) {
        session_.terminal.err << fmt::format(
            "tidectl: timed out: vCPU {} {} is still at \"{}\"; see 'tidectl vcpus'\n",
            followed.latest.value("cpu", 0), followed.Get("kind"), followed.Get("phase"));
      }
    }
    session_.terminal.err.flush();
    return kExitTimeout;
  }

 private:
  bool IsSatisfied(const Followed& followed) const {
    if (followed.Ended()) {
      return true;
    }
    const bool is_add = followed.Get("kind") == "add";
    switch (session_.options.wait) {
      case WaitFor::kRegistered:
        return !is_add || followed.phases.contains("registered");
      case WaitFor::kRemoved:
        return is_add;
      case WaitFor::kNothing:
      case WaitFor::kDone:
        break;
    }
    return false;
  }

  void Take(Followed& followed, const Json& data) {
    const bool is_new = followed.phases.insert(data.value("phase", "")).second;
    const bool ends = data.value("outcome", "") != "pending";
    const bool had_ended = !followed.latest.is_null() && followed.Ended();
    if (had_ended || (!is_new && !ends)) {
      return;  // told before
    }
    followed.latest = data;
    Print(session_, RenderPhase(data, session_.terminal.style) + "\n", data);
  }

  void Summarize(std::string_view result) const {
    if (session_.options.json) {
      Json operations = Json::array();
      for (const auto& [id, followed] : followed_) {
        operations.push_back(followed.latest);
      }
      Print(session_, "", {{"result", result}, {"operations", operations}});
    }
  }

  Session& session_;
  std::map<std::uint64_t, Followed> followed_;
};

}  // namespace

int Follow(Session& session, const Json& operations) {
  Follower follower(session);
  for (const Json& operation : operations) {
    follower.Begin(operation);
  }
  while (!follower.Finished()) {
    const auto event = session.client.NextEvent(session.deadline);
    if (!event) {
      return Report(event.error(), session.terminal);
    }
    if (!*event) {
      return follower.TimedOut();
    }
    follower.OnEvent(**event);
  }
  return follower.Verdict();
}

}  // namespace tidevm::tidectl
