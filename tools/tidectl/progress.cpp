#include "tools/tidectl/progress.h"

#include <algorithm>

namespace tidevm::tidectl {

Progress::Progress(const Json& operation) : latest_(operation) {
  latest_.erase("phases");
  latest_["outcome"] = "pending";  // until the phases have been taken
}

std::vector<Json> Progress::PhasesOf(const Json& operation) {
  std::vector<Json> result;
  const Json phases = operation.value("phases", Json::array());
  for (std::size_t i = 0; i < phases.size(); ++i) {
    Json data = operation;
    data.erase("phases");
    data.update(phases[i]);
    if (i + 1 < phases.size()) {  // outcome and reason belong to the last one
      data["outcome"] = "pending";
      data.erase("reason");
    }
    result.push_back(std::move(data));
  }
  return result;
}

bool Progress::Take(const Json& data) {
  const std::string phase = data.value("phase", "");
  const bool is_new = !Reached(phase);
  if (Ended() || (!is_new && data.value("outcome", "") == "pending")) {
    return false;
  }
  if (is_new) {
    phases_.push_back(phase);
  }
  latest_ = data;
  return true;
}

bool Progress::Reached(std::string_view phase) const {
  return std::find(phases_.begin(), phases_.end(), phase) != phases_.end();
}

bool Progress::LacksOnline() const {
  return kind() == "add" && Reached("registered") && !Reached("online") && outcome() != "done";
}

Verdict Progress::For(WaitFor wait) const {
  const bool is_add = kind() == "add";
  const std::string how = outcome();
  if ((wait == WaitFor::kRegistered && !is_add) || (wait == WaitFor::kRemoved && is_add)) {
    return Verdict::kHappened;  // not what is waited for
  }
  if (how == "done") {
    return wait == WaitFor::kOnline && is_add && !Reached("online") ? Verdict::kOnlineUnknown
                                                                    : Verdict::kHappened;
  }
  if (how == "pending" || how == "timed-out") {
    if (wait == WaitFor::kRegistered && Reached("registered")) {
      return Verdict::kHappened;
    }
    return how == "pending" ? Verdict::kWaiting : Verdict::kTimedOut;
  }
  return Verdict::kFailed;
}

std::uint64_t Progress::id() const { return latest_.value("id", std::uint64_t{0}); }
CpuId Progress::cpu() const { return latest_.value("cpu", CpuId{0}); }

std::chrono::nanoseconds Progress::since_request() const {
  return std::chrono::nanoseconds(latest_.value("since-request-ns", std::int64_t{0}));
}

}  // namespace tidevm::tidectl
