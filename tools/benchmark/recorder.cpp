#include "tools/benchmark/recorder.h"

#include <utility>

namespace tidevm::benchmark {

Json Recorder::Placed(Json sample) const {
  sample["round"] = place_.round;
  sample["position"] = place_.position;
  sample["system"] = Name(place_.system);
  sample["scenario"] = place_.scenario;
  return sample;
}

void Recorder::Add(std::string_view what, Json sample) {
  sample["what"] = what;
  samples_.push_back(Placed(std::move(sample)));
}

void Recorder::AddFailure(std::string_view message) {
  failures_.push_back(Placed({{"error", message}}));
}

}  // namespace tidevm::benchmark
