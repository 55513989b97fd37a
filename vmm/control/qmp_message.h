// QMP messages as values: what a client sent, and what goes back.
// Source: QEMU docs/interop/qmp-spec.rst, qapi/qmp-dispatch.c for the wording of refusals.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "tidevm/result.h"

namespace tidevm::control {

using Json = nlohmann::json;

// The error classes of QMP that tidevm uses.
inline constexpr std::string_view kGenericError = "GenericError";
inline constexpr std::string_view kCommandNotFound = "CommandNotFound";
inline constexpr std::string_view kDeviceNotFound = "DeviceNotFound";

/// An error as it goes to the client.
struct QmpError {
  std::string_view error_class = kGenericError;
  std::string desc;
};

/// From a Result of the machine: always GenericError, with its sentence.
QmpError ToQmpError(const Error& error);

/// {"execute", "arguments", "id"}, checked for shape; the arguments not yet for content.
struct QmpRequest {
  std::string command;
  Json arguments = Json::object();
  std::optional<Json> id;
};

/// Why a text is no request, with the `id` where one could be read all the same.
struct BadRequest {
  QmpError error;
  std::optional<Json> id;
};

tl::expected<QmpRequest, BadRequest> ParseRequest(std::string_view text);

// Whole lines, ended by CR LF as QEMU ends them; ASCII only.
std::string GreetingLine();
std::string ReturnLine(const Json& value, const std::optional<Json>& id);
std::string ErrorLine(const QmpError& error, const std::optional<Json>& id);
/// `data` is left out where it is null.
std::string EventLine(std::string_view event, const Json& data,
                      std::chrono::system_clock::time_point when);

/// query-version's answer. The triple is tidevm's own version; its name "qemu" is the protocol's.
Json VersionInfo();

}  // namespace tidevm::control
