#include "tools/benchmark/first_entry.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <system_error>

#include "guest-tests/harness/small_files.h"

namespace tidevm::benchmark {
namespace {

namespace fs = std::filesystem;
using guest_tests::ReadSmallFile;
using guest_tests::WriteSmallFile;

constexpr const char* kInstances = "/sys/kernel/tracing/instances";
constexpr std::string_view kEvent = ": kvm_entry:";

/// "123.456789", all of it.
std::optional<std::chrono::microseconds> ParseTime(std::string_view text) {
  const std::size_t point = text.find('.');
  std::int64_t seconds = 0;
  std::int64_t fraction = 0;
  constexpr std::size_t kDecimals = 6;
  if (point == std::string_view::npos || text.size() - point - 1 != kDecimals ||
      std::from_chars(text.data(), text.data() + point, seconds).ptr != text.data() + point ||
      std::from_chars(text.data() + point + 1, text.data() + text.size(), fraction).ptr !=
          text.data() + text.size()) {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds) + std::chrono::microseconds(fraction);
}

/// "     CPU 0/KVM-1234    [000] d....   123.456789: kvm_entry: vcpu 0, ..."
std::optional<TracedEntry> ParseEntry(std::string_view line) {
  const std::size_t event = line.find(kEvent);
  const std::size_t bracket = line.find(" [");
  if (event == std::string_view::npos || bracket == std::string_view::npos || bracket > event) {
    return std::nullopt;
  }
  std::string_view time = line.substr(0, event);
  time.remove_prefix(time.rfind(' ') + 1);
  std::string_view task = line.substr(0, bracket);
  task = task.substr(0, task.find_last_not_of(' ') + 1);
  task.remove_prefix(task.rfind('-') + 1);  // a name may have dashes and blanks
  TracedEntry entry;
  const auto when = ParseTime(time);
  if (!when || task.empty() ||
      std::from_chars(task.data(), task.data() + task.size(), entry.thread).ptr !=
          task.data() + task.size()) {
    return std::nullopt;
  }
  entry.when = std::chrono::steady_clock::time_point(*when);
  return entry;
}

}  // namespace

std::optional<TracedEntry> ParseFirstEntry(std::string_view trace) {
  while (!trace.empty()) {
    const std::string_view line = trace.substr(0, trace.find('\n'));
    trace.remove_prefix(std::min(line.size() + 1, trace.size()));
    if (!line.starts_with('#')) {
      if (auto entry = ParseEntry(line)) {
        return entry;
      }
    }
  }
  return std::nullopt;
}

FirstEntryProbe::FirstEntryProbe() {
  std::error_code error;
  instance_ = fs::path(kInstances) / fmt::format("tidevm-bench-{}", ::getpid());
  if (!fs::create_directory(instance_, error) || error) {
    instance_.clear();
  } else if (!SetUp()) {
    fs::remove(instance_, error);
    instance_.clear();
  }
}

FirstEntryProbe::~FirstEntryProbe() {
  if (available()) {
    std::error_code ignored;
    WriteSmallFile(instance_ / "events/kvm/kvm_entry/enable", "0");
    fs::remove(instance_, ignored);
  }
}

bool FirstEntryProbe::SetUp() const {
  return WriteSmallFile(instance_ / "tracing_on", "0") &&
         WriteSmallFile(instance_ / "trace_clock", "mono") &&
         WriteSmallFile(instance_ / "events/kvm/kvm_entry/trigger", "traceoff") &&
         WriteSmallFile(instance_ / "events/kvm/kvm_entry/enable", "1");
}

void FirstEntryProbe::Arm() const {
  if (available()) {
    WriteSmallFile(instance_ / "trace", "0");  // empties it
    WriteSmallFile(instance_ / "tracing_on", "1");
  }
}

std::optional<std::chrono::steady_clock::time_point> FirstEntryProbe::Take(pid_t pid) const {
  const auto trace = available() ? ReadSmallFile(instance_ / "trace") : std::nullopt;
  const auto entry = trace ? ParseFirstEntry(*trace) : std::nullopt;
  std::error_code ignored;
  if (!entry || !fs::exists(fmt::format("/proc/{}/task/{}", pid, entry->thread), ignored)) {
    return std::nullopt;
  }
  return entry->when;
}

}  // namespace tidevm::benchmark
