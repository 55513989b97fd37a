#include "tools/tidectl/render.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "tidevm/cpu_set.h"
#include "tools/tidectl/duration.h"

namespace tidevm::tidectl {
namespace {

constexpr std::string_view kNothing = "-";

// The VM is another program, maybe of another version: a member that is missing shows as "-".
std::string Text(const Json& object, const char* member) {
  const auto value = object.find(member);
  if (value == object.end() || value->is_null()) {
    return std::string(kNothing);
  }
  if (value->is_string()) {
    return value->get<std::string>();
  }
  if (value->is_boolean()) {
    return value->get<bool>() ? "yes" : "no";
  }
  return value->dump();
}

bool IsTrue(const Json& object, const char* member) {
  const auto value = object.find(member);
  return value != object.end() && value->is_boolean() && value->get<bool>();
}

std::chrono::nanoseconds Nanoseconds(const Json& object, const char* member) {
  const auto value = object.find(member);
  return std::chrono::nanoseconds(
      value != object.end() && value->is_number_integer() ? value->get<std::int64_t>() : 0);
}

std::string Events(const Json& vcpu) {
  std::string text = IsTrue(vcpu, "insert-event") ? "insert" : "";
  if (IsTrue(vcpu, "remove-event")) {
    text += text.empty() ? "remove" : ",remove";
  }
  return text.empty() ? std::string(kNothing) : text;
}

std::string LastOst(const Json& vcpu) {
  const auto ost = vcpu.find("last-ost");
  if (ost == vcpu.end() || !ost->is_object()) {
    return std::string(kNothing);
  }
  const auto number = [&](const char* member) {
    const auto value = ost->find(member);
    return value != ost->end() && value->is_number_integer() ? value->get<std::uint64_t>() : 0;
  };
  return fmt::format("{}/{:#x}", number("source"), number("status"));
}

std::string Place(const Json& vcpu) {
  const auto props = vcpu.find("props");
  if (props == vcpu.end() || !props->is_object()) {
    return std::string(kNothing);
  }
  return fmt::format("{}/{}/{}", Text(*props, "socket-id"), Text(*props, "core-id"),
                     Text(*props, "thread-id"));
}

template <typename Condition>
CpuSet CpusWhere(const Json& vcpus, Condition condition) {
  CpuSet set;
  for (const Json& vcpu : vcpus) {
    const auto id = vcpu.find("cpu");
    if (id != vcpu.end() && id->is_number_unsigned() && condition(vcpu)) {
      set.Insert(id->get<CpuId>());
    }
  }
  return set;
}

// Local time of day, to the millisecond.
std::string TimeOfDay(const Json& event) {
  const auto stamp = event.find("timestamp");
  if (stamp == event.end() || !stamp->is_object()) {
    return std::string(kNothing);
  }
  const auto seconds = static_cast<std::time_t>(stamp->value("seconds", std::int64_t{0}));
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%H:%M:%S}.{:03}", local,
                     stamp->value("microseconds", std::int64_t{0}) / 1000);
}

}  // namespace

Color ColorOfOutcome(std::string_view outcome) {
  if (outcome == "done") {
    return Color::kGood;
  }
  return outcome == "pending" ? Color::kWaiting : Color::kBad;
}

std::string Style::Paint(std::string_view text, Color color_of_text) const {
  if (!color || color_of_text == Color::kNone) {
    return std::string(text);
  }
  const int code = color_of_text == Color::kGood ? 32 : color_of_text == Color::kBad ? 31 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].heading.size();
    for (const auto& row : rows_) {
      width = std::max(width, row[i].size());
    }
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      line += i == 0 ? "" : "  ";
      line += columns_[i].right ? fmt::format("{:>{}}", cell_at(i), widths[i])
                                : fmt::format("{:<{}}", cell_at(i), widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line([&](std::size_t i) { return columns_[i].heading; });
  for (const auto& row : rows_) {
    add_line([&](std::size_t i) { return std::string_view(row[i]); });
  }
  return text;
}

std::string RenderVcpus(const Json& vcpus) {
  Table table({{"CPU", true},
               {"WANTED"},
               {"STATE"},
               {"THREAD", true},
               {"CPU-TIME", true},
               {"ACPI"},
               {"EVENTS"},
               {"REGISTERED"},
               {"ONLINE"},
               {"LAST-OST"},
               {"AFFINITY"},
               {"SOCKET/CORE/THREAD"},
               {"DEVICE"}});
  for (const Json& vcpu : vcpus) {
    const auto cpu_time = Nanoseconds(vcpu, "cpu-time-ns");
    table.AddRow({Text(vcpu, "cpu"), Text(vcpu, "wanted"), Text(vcpu, "state"),
                  Text(vcpu, "thread-id"),
                  cpu_time.count() == 0 ? std::string(kNothing) : FormatDuration(cpu_time),
                  IsTrue(vcpu, "acpi-present") ? "present" : std::string(kNothing), Events(vcpu),
                  Text(vcpu, "registered"), Text(vcpu, "online"), LastOst(vcpu),
                  Text(vcpu, "affinity"), Place(vcpu), Text(vcpu, "device-id")});
  }
  return table.ToString();
}

std::string RenderOperations(const Json& operations) {
  Table table({{"ID", true},
               {"KIND"},
               {"CPU", true},
               {"OUTCOME"},
               {"PHASE"},
               {"TIME", true},
               {"DEADLINE", true},
               {"REASON"}});
  for (const Json& operation : operations) {
    const Json phases = operation.value("phases", Json::array());
    const Json last = phases.empty() ? Json::object() : phases.back();
    const auto deadline = operation.find("deadline-ms");
    table.AddRow({Text(operation, "id"), Text(operation, "kind"), Text(operation, "cpu"),
                  Text(operation, "outcome"), Text(last, "phase"),
                  FormatDuration(Nanoseconds(last, "since-request-ns")),
                  deadline == operation.end() || !deadline->is_number_integer()
                      ? std::string(kNothing)
                      : FormatDuration(std::chrono::milliseconds(deadline->get<std::int64_t>())),
                  Text(operation, "reason")});
  }
  return table.ToString();
}

std::string RenderStatus(const Json& status, const Json& name, const Json& vcpus) {
  const CpuSet running =
      CpusWhere(vcpus, [](const Json& vcpu) { return vcpu.contains("thread-id"); });
  const std::string wanted = WantedList(vcpus);
  return fmt::format("name     {}\nstatus   {}\nvCPUs    {} of {}: {}{}\n", Text(name, "name"),
                     Text(status, "status"), running.size(), vcpus.size(), running.ToString(),
                     wanted == running.ToString() ? "" : fmt::format(" (wanted: {})", wanted));
}

std::string WantedList(const Json& vcpus) {
  return CpusWhere(vcpus, [](const Json& vcpu) { return IsTrue(vcpu, "wanted"); }).ToString();
}

std::string RenderPhase(const Json& phase, const Style& style) {
  const std::string outcome = Text(phase, "outcome");
  std::string line = fmt::format("{:>10}  vCPU {:<4} {:<6}  {}",
                                 FormatDuration(Nanoseconds(phase, "since-request-ns")),
                                 Text(phase, "cpu"), Text(phase, "kind"), Text(phase, "phase"));
  if (outcome != "pending") {
    line += "  " + style.Paint(outcome, ColorOfOutcome(outcome));
  }
  if (const std::string reason = Text(phase, "reason"); reason != kNothing) {
    line += ": " + reason;
  }
  return line;
}

std::string RenderEvent(const Json& event, const Style& style) {
  const std::string name = Text(event, "event");
  const Json data = event.value("data", Json::object());
  std::string line = fmt::format("{}  {:<25}", TimeOfDay(event), name);
  if (name == "VCPU_OPERATION") {
    line += "  " + RenderPhase(data, style);
  } else {
    for (const auto& [key, value] : data.items()) {
      line +=
          fmt::format(" {}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace tidevm::tidectl
