// What every fuzz target does before its first input.
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <mutex>

#include "fuzzing/require.h"

namespace tidevm::fuzzing {
namespace {

/// Has every message made, and shows none. An error in the log says that something that was asked
/// for failed, in the host's own doing: no input may lead there.
class NoErrors final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    Require(message.level < spdlog::level::err, "an error was logged: {}", message.payload);
  }
  void flush_() override {}
};

}  // namespace

void Found(std::string_view what) {
  fmt::print(stderr, "found: {}\n", what);
  std::abort();
}

}  // namespace tidevm::fuzzing

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<tidevm::fuzzing::NoErrors>()));
  spdlog::set_level(spdlog::level::debug);
  return 0;
}
