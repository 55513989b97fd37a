#include "tools/benchmark/guest_lines.h"

#include <charconv>
#include <cstdint>
#include <string>

namespace tidevm::benchmark {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kMark = "@tidevm ";

/// Without the mark and what comes before it: firmware may have left something on the line.
std::optional<std::string_view> AfterMark(std::string_view line) {
  const std::size_t at = line.find(kMark);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  return line.substr(at + kMark.size());
}

/// The number that `text` begins with, taken off it.
std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

/// What follows " KEY=" in the line.
std::optional<std::string_view> ValueOf(std::string_view line, std::string_view key) {
  const std::string wanted = " " + std::string(key) + "=";
  const std::size_t at = line.find(wanted);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view value = line.substr(at + wanted.size());
  return value.substr(0, value.find(' '));
}

/// "12.345678": seconds with six decimals.
std::optional<microseconds> ParseSeconds(std::string_view text) {
  const auto seconds = TakeNumber(text);
  constexpr std::size_t kDecimals = 6;
  if (!seconds || !TakePrefix(text, ".") || text.size() != kDecimals) {
    return std::nullopt;
  }
  const auto fraction = TakeNumber(text);
  if (!fraction || !text.empty()) {
    return std::nullopt;
  }
  return std::chrono::seconds(*seconds) + microseconds(*fraction);
}

/// The N of "@tidevm cpu N WHAT ...", with what comes behind WHAT in `rest`.
std::optional<int> CpuOf(std::string_view line, std::string_view what, std::string_view& rest) {
  auto text = AfterMark(line);
  if (!text || !TakePrefix(*text, "cpu ")) {
    return std::nullopt;
  }
  const auto cpu = TakeNumber(*text);
  if (!cpu || !TakePrefix(*text, " ") || !TakePrefix(*text, what) || !text->starts_with(' ')) {
    return std::nullopt;
  }
  rest = *text;
  return static_cast<int>(*cpu);
}

}  // namespace

std::optional<GuestReady> ParseReady(std::string_view line) {
  auto text = AfterMark(line);
  if (!text || !text->starts_with("READY ")) {
    return std::nullopt;
  }
  const auto value = ValueOf(*text, "uptime");
  const auto uptime = value ? ParseSeconds(*value) : std::nullopt;
  if (!uptime) {
    return std::nullopt;
  }
  return GuestReady{.uptime = *uptime};
}

std::optional<GuestOnline> ParseOnline(std::string_view line) {
  std::string_view rest;
  const auto cpu = CpuOf(line, "online", rest);
  auto took = cpu ? ValueOf(rest, "took-us") : std::nullopt;
  const auto number = took ? TakeNumber(*took) : std::nullopt;
  if (!number || !took->empty()) {
    return std::nullopt;
  }
  return GuestOnline{.cpu = *cpu, .took = microseconds(*number)};
}

std::optional<int> ParseRemoved(std::string_view line) {
  std::string_view rest;
  return CpuOf(line, "removed", rest);
}

std::optional<int> ParseOnlineFailed(std::string_view line) {
  std::string_view rest;
  return CpuOf(line, "failed", rest);
}

}  // namespace tidevm::benchmark
