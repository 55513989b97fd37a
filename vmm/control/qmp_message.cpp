#include "vmm/control/qmp_message.h"

#include <set>
#include <utility>
#include <vector>

namespace tidevm::control {
namespace {

std::string Line(const Json& message) {
  // Invalid UTF-8 cannot come in, but names from the command line can hold it: replaced, not
  // thrown.
  return message.dump(-1, ' ', true, Json::error_handler_t::replace) + "\r\n";
}

Json WithId(Json message, const std::optional<Json>& id) {
  if (id) {
    message["id"] = *id;
  }
  return message;
}

// Of two equal keys in one object nlohmann keeps the last. QEMU refuses both, so that no request
// means something else than it seems to.
tl::expected<Json, QmpError> ParseText(std::string_view text) {
  bool has_duplicate_key = false;
  std::vector<std::set<std::string>> open_objects;  // their keys
  const auto watch = [&](int /*depth*/, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const bool is_new = open_objects.back().insert(value.get<std::string>()).second;
      has_duplicate_key = has_duplicate_key || !is_new;
    }
    return true;
  };
  Json value = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return tl::make_unexpected(QmpError{.desc = "JSON parse error, invalid JSON or UTF-8"});
  }
  if (has_duplicate_key) {
    return tl::make_unexpected(QmpError{.desc = "JSON parse error, duplicate key"});
  }
  return value;
}

}  // namespace

QmpError ToQmpError(const Error& error) {
  return {.error_class = kGenericError, .desc = error.message};
}

tl::expected<QmpRequest, BadRequest> ParseRequest(std::string_view text) {
  auto parsed = ParseText(text);
  if (!parsed) {
    return tl::make_unexpected(BadRequest{.error = parsed.error(), .id = {}});
  }
  Json& message = *parsed;
  if (!message.is_object()) {
    return tl::make_unexpected(
        BadRequest{.error = {.desc = "QMP input must be a JSON object"}, .id = {}});
  }
  QmpRequest request;
  if (const auto id = message.find("id"); id != message.end()) {
    request.id = std::move(*id);
    message.erase(id);
  }
  const auto refuse = [&](std::string desc) {
    return tl::make_unexpected(BadRequest{.error = {.desc = std::move(desc)}, .id = request.id});
  };
  bool has_command = false;
  for (auto& [key, value] : message.items()) {
    if (key == "execute") {
      if (!value.is_string()) {
        return refuse("QMP input member 'execute' must be a string");
      }
      request.command = value.get<std::string>();
      has_command = true;
    } else if (key == "arguments") {
      if (!value.is_object()) {
        return refuse("QMP input member 'arguments' must be an object");
      }
      request.arguments = std::move(value);
    } else {
      return refuse(fmt::format("QMP input member '{}' is unexpected", key));
    }
  }
  if (!has_command) {
    return refuse("QMP input lacks member 'execute'");
  }
  return request;
}

std::string GreetingLine() {
  return Line({{"QMP", {{"version", VersionInfo()}, {"capabilities", Json::array()}}}});
}

std::string ReturnLine(const Json& value, const std::optional<Json>& id) {
  Json message = Json::object();
  message["return"] = value;
  return Line(WithId(std::move(message), id));
}

std::string ErrorLine(const QmpError& error, const std::optional<Json>& id) {
  Json message = {{"error", {{"class", error.error_class}, {"desc", error.desc}}}};
  return Line(WithId(std::move(message), id));
}

std::string EventLine(std::string_view event, const Json& data,
                      std::chrono::system_clock::time_point when) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
  constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
  Json message = {{"event", event},
                  {"timestamp",
                   {{"seconds", since_epoch / kMicrosecondsPerSecond},
                    {"microseconds", since_epoch % kMicrosecondsPerSecond}}}};
  if (!data.is_null()) {
    message["data"] = data;
  }
  return Line(message);
}

Json VersionInfo() {
  return {{"qemu",
           {{"major", TIDEVM_VERSION_MAJOR},
            {"minor", TIDEVM_VERSION_MINOR},
            {"micro", TIDEVM_VERSION_PATCH}}},
          {"package", "tidevm"}};
}

}  // namespace tidevm::control
