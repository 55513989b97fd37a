#include "vmm/machine/log_format.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>

#include <chrono>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tidevm::machine {
namespace {

std::string Timestamp(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::floor<std::chrono::microseconds>(time - seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), rest.count());
}

// spdlog's own word is "warning".
std::string_view LevelName(spdlog::level::level_enum level) {
  if (level == spdlog::level::warn) {
    return "warn";
  }
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    using Json = nlohmann::ordered_json;
    const Json object{
        {"time", Timestamp(message.time)},
        {"level", LevelName(message.level)},
        {"message", std::string_view(message.payload.data(), message.payload.size())}};
    constexpr int kOneLine = -1;
    const std::string text = object.dump(kOneLine, ' ', false, Json::error_handler_t::replace);
    line.append(text);
    line.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> MakeLogFormatter(LogFormat format) {
  switch (format) {
    case LogFormat::kText:
      return std::make_unique<spdlog::pattern_formatter>("tidevm: %l: %v");
    case LogFormat::kJson:
      break;
  }
  return std::make_unique<JsonFormatter>();
}

}  // namespace tidevm::machine
