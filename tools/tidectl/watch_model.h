// What 'tidectl watch' shows, apart from how.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tidevm/ids.h"

namespace tidevm::tidectl {

using Json = nlohmann::json;

struct WatchedCpu {
  CpuId cpu = 0;
  bool wanted = false;
  std::string state{};  // "-": the VM does not say; the same for the next four
  std::string thread{};
  std::string registered{};  // yes, no, unknown
  std::string online{};      // yes, no, unknown
  std::chrono::nanoseconds cpu_time{};
  std::optional<double> share{};  // of one CPU, 0 to 1; nullopt: not measured yet
  std::string pending_kind{};     // add, remove; "": nothing is pending
  std::string pending_phase{};

  /// Nothing is asked of it and nothing runs.
  bool Idle() const { return !wanted && thread == "-" && pending_kind.empty(); }
};

struct WatchModel {
  std::string name{};
  std::string status{};
  std::vector<WatchedCpu> cpus{};
};

/// CPU time between two looks, as a share of one CPU.
class ShareMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// `vcpus`: query-vcpus' answer, of `now`.
  void Sample(const Json& vcpus, Time now);
  /// Between the last two samples. nullopt: not both had this CPU under the same thread.
  std::optional<double> ShareOf(CpuId cpu) const;

 private:
  struct Reading {
    std::chrono::nanoseconds cpu_time{};
    std::int64_t thread = 0;
  };
  std::map<CpuId, Reading> last_;
  std::map<CpuId, double> shares_;
  Time when_{};
};

/// From query-status', query-name's, query-vcpus' and query-vcpu-operations' answers.
WatchModel ToWatchModel(const Json& status, const Json& name, const Json& vcpus,
                        const Json& operations, const ShareMeter& meter);

/// What 'tidectl watch --json' prints: {"status", "vcpus", "operations"}, pending operations only.
Json ToSnapshot(const Json& status, const Json& vcpus, const Json& operations);
/// The snapshots differ in more than CPU time.
bool Differ(Json before, Json after);

}  // namespace tidevm::tidectl
