// The raw results: every sample that was taken, and every failure; nothing is left out or averaged.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/benchmark/system.h"

namespace tidevm::benchmark {

using Json = nlohmann::json;

/// Where in the run a sample belongs.
struct Place {
  unsigned round = 0;
  unsigned position = 0;  // among the scenarios of the whole run, in the order in which they ran
  System system = System::kTidevm;
  std::string scenario{};
};

class Recorder {
 public:
  void MoveTo(Place place) { place_ = std::move(place); }

  /// A sample: an object, to which `what` and the place are added.
  void Add(std::string_view what, Json sample);
  void AddFailure(std::string_view message);

  const Json& samples() const { return samples_; }
  const Json& failures() const { return failures_; }

 private:
  Json Placed(Json sample) const;

  Place place_;
  Json samples_ = Json::array();
  Json failures_ = Json::array();
};

}  // namespace tidevm::benchmark
