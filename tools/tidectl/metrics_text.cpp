#include "tools/tidectl/metrics_text.h"

#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace tidevm::tidectl {

using Json = nlohmann::json;

namespace {

using Label = std::pair<std::string_view, std::string>;

std::string Escaped(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\n') {
      result += "\\n";
      continue;
    }
    if (letter == '\\' || letter == '"') {
      result += '\\';
    }
    result += letter;
  }
  return result;
}

std::string Head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

std::string Sample(std::string_view name, std::initializer_list<Label> labels,
                   std::string_view value) {
  std::string list;
  for (const auto& [key, text] : labels) {
    list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", key, Escaped(text));
  }
  return list.empty() ? fmt::format("{} {}\n", name, value)
                      : fmt::format("{}{{{}}} {}\n", name, list, value);
}

std::uint64_t Number(const Json& object, const char* member) {
  return object.value(member, std::uint64_t{0});
}
std::string Count(const Json& object) { return std::to_string(Number(object, "count")); }
std::string Word(const Json& object, const char* member) { return object.value(member, "?"); }
Json List(const Json& object, const char* member) { return object.value(member, Json::array()); }

// The shortest text that reads back as the same number.
std::string Seconds(const Json& object, const char* member) {
  return fmt::format("{}", static_cast<double>(Number(object, member)) / 1e9);
}

std::string Operations(const Json& operations) {
  constexpr std::string_view kTotal = "tidevm_operations_total";
  std::string text = Head(kTotal, "counter", "Requests to add or remove a vCPU that have ended.");
  std::uint64_t pending = 0;
  for (const Json& operation : operations) {
    if (Word(operation, "outcome") == "pending") {
      pending += Number(operation, "count");
      continue;
    }
    text +=
        Sample(kTotal, {{"kind", Word(operation, "kind")}, {"outcome", Word(operation, "outcome")}},
               Count(operation));
  }
  constexpr std::string_view kPending = "tidevm_operations_pending";
  return text + Head(kPending, "gauge", "Requests to add or remove a vCPU that have not ended.") +
         Sample(kPending, {}, std::to_string(pending));
}

std::string Phases(const Json& phases) {
  constexpr std::string_view kName = "tidevm_operation_phase_seconds";
  std::string text =
      Head(kName, "histogram", "Time from the request to each phase of its operation.");
  for (const Json& phase : phases) {
    const Label kind = {"kind", Word(phase, "kind")};
    const Label name = {"phase", Word(phase, "phase")};
    const std::string bucket = fmt::format("{}_bucket", kName);
    for (const Json& entry : List(phase, "buckets")) {
      text += Sample(bucket, {kind, name, {"le", Seconds(entry, "le-ns")}}, Count(entry));
    }
    text += Sample(bucket, {kind, name, {"le", "+Inf"}}, Count(phase));
    text += Sample(fmt::format("{}_sum", kName), {kind, name}, Seconds(phase, "sum-ns"));
    text += Sample(fmt::format("{}_count", kName), {kind, name}, Count(phase));
  }
  return text;
}

std::string Vcpus(const Json& vcpus) {
  constexpr std::string_view kExits = "tidevm_vcpu_exits_total";
  constexpr std::string_view kTime = "tidevm_vcpu_seconds_total";
  std::string exits = Head(kExits, "counter", "Exits from the guest to tidevm.");
  std::string time = Head(kTime, "counter", "CPU time of the vCPU's threads.");
  for (const Json& vcpu : vcpus) {
    const Label id = {"vcpu", std::to_string(Number(vcpu, "cpu"))};
    for (const Json& entry : List(vcpu, "exits")) {
      exits += Sample(kExits, {id, {"kind", Word(entry, "kind")}}, Count(entry));
    }
    time += Sample(kTime, {id}, Seconds(vcpu, "cpu-time-ns"));
  }
  return exits + time;
}

}  // namespace

std::string MetricsText(const Json& metrics) {
  return Operations(List(metrics, "operations")) + Phases(List(metrics, "phases")) +
         Vcpus(List(metrics, "vcpus"));
}

}  // namespace tidevm::tidectl
