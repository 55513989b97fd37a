// What is known of one operation, and what that means for somebody who waits for it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tidevm/ids.h"
#include "tools/tidectl/options.h"

namespace tidevm::tidectl {

using Json = nlohmann::json;

enum class Verdict {
  kWaiting,
  kHappened,
  kOnlineUnknown,  // an addition that is done, of a guest that does not tell what is online
  kTimedOut,       // the operation's own deadline came
  kFailed,         // refused, failed, cancelled
};

/// One operation, as far as this client has heard of it. The answer that names it and the events
/// overlap in time; each phase is kept once, whichever brings it first.
class Progress {
 public:
  /// An entry of query-vcpu-operations. Its phases are yet to be taken: PhasesOf().
  explicit Progress(const Json& operation);

  /// The phases of an entry of query-vcpu-operations, each as VCPU_OPERATION's data would be.
  static std::vector<Json> PhasesOf(const Json& operation);

  /// `data` of VCPU_OPERATION. Gives whether it says anything new.
  bool Take(const Json& data);

  Verdict For(WaitFor wait) const;
  bool Ended() const { return outcome() != "pending"; }
  bool Reached(std::string_view phase) const;
  /// It is an addition that the guest has registered, and that nothing has put online.
  bool LacksOnline() const;

  std::uint64_t id() const;
  CpuId cpu() const;
  std::string kind() const { return Text("kind"); }
  std::string outcome() const { return Text("outcome"); }
  std::string phase() const { return Text("phase"); }  // the last one
  std::string reason() const { return Text("reason"); }
  std::chrono::nanoseconds since_request() const;  // of the last phase, or of the end
  const std::vector<std::string>& phases() const { return phases_; }
  const Json& latest() const { return latest_; }  // shaped as VCPU_OPERATION's data

 private:
  std::string Text(const char* member) const { return latest_.value(member, std::string()); }

  Json latest_;
  std::vector<std::string> phases_;
};

}  // namespace tidevm::tidectl
