#include "guest-tests/harness/process_usage.h"

#include <charconv>
#include <ctime>
#include <filesystem>
#include <functional>
#include <system_error>

#include "guest-tests/harness/small_files.h"

namespace tidevm::guest_tests {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> LeadingNumber(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

/// The number behind "KEY:" where `line` begins with that.
std::optional<std::uint64_t> NumberOf(std::string_view line, std::string_view key) {
  if (!line.starts_with(key) || !line.substr(key.size()).starts_with(':')) {
    return std::nullopt;
  }
  return LeadingNumber(line.substr(key.size() + 1));
}

/// One mapping's, in bytes.
struct Mapping {
  std::uint64_t size = 0;
  MemoryUse use;
};

/// Takes one line of a mapping.
void Take(std::string_view line, Mapping& mapping) {
  constexpr std::uint64_t kKibibyte = 1024;
  for (const auto& [key, into] : {std::pair{"Size", &mapping.size},
                                  {"Rss", &mapping.use.resident},
                                  {"Pss", &mapping.use.proportional},
                                  {"Private_Dirty", &mapping.use.private_dirty}}) {
    if (const auto number = NumberOf(line, key)) {
      *into = *number * kKibibyte;
    }
  }
}

/// Calls `use` for each thread with its folder and name; threads may end meanwhile.
Result<void> ForEachThread(pid_t pid,
                           const std::function<void(const fs::path&, std::string_view)>& use) {
  std::error_code error;
  const fs::path tasks = fmt::format("/proc/{}/task", pid);
  for (fs::directory_iterator task(tasks, error), end; !error && task != end;
       task.increment(error)) {
    if (const auto name = ReadSmallFile(task->path() / "comm")) {
      use(task->path(), *name);
    }
  }
  if (error) {
    return Fail(ErrorCode::kIo, "{}: {}", tasks.string(), error.message());
  }
  return {};
}

}  // namespace

Result<MemoryUse> ParseSmaps(std::string_view smaps, std::uint64_t guest_memory) {
  MemoryUse total;
  Mapping mapping;
  int guest_mappings = 0;
  std::uint64_t largest = 0;
  const auto finish = [&] {
    largest = std::max(largest, mapping.size);
    if (mapping.size == guest_memory) {
      ++guest_mappings;
      total.guest_resident += mapping.use.resident;
    } else {
      total.resident += mapping.use.resident;
      total.proportional += mapping.use.proportional;
      total.private_dirty += mapping.use.private_dirty;
    }
    mapping = {};
  };
  while (!smaps.empty()) {
    const std::string_view line = smaps.substr(0, smaps.find('\n'));
    smaps.remove_prefix(std::min(line.size() + 1, smaps.size()));
    Take(line, mapping);
    if (line.starts_with("VmFlags:")) {  // the last line of each
      finish();
    }
  }
  if (guest_mappings != 1) {
    return Fail(ErrorCode::kNotFound,
                "{} mappings have the {} bytes of the guest's RAM, and one should; the largest has "
                "{}",
                guest_mappings, guest_memory, largest);
  }
  return total;
}

Result<MemoryUse> ReadMemoryUse(pid_t pid, std::uint64_t guest_memory) {
  const std::string path = fmt::format("/proc/{}/smaps", pid);
  const auto smaps = ReadSmallFile(path);
  if (!smaps) {
    return FailErrno(errno, "{}", path);
  }
  return ParseSmaps(*smaps, guest_memory);
}

bool IsVcpuThread(std::string_view name) {
  return name.starts_with("vcpu-") ||
         (name.starts_with("CPU ") && name.find("/KVM") != std::string_view::npos);
}

std::optional<std::chrono::nanoseconds> ParseSchedstat(std::string_view text) {
  const auto number = LeadingNumber(text);
  return number ? std::optional(std::chrono::nanoseconds(*number)) : std::nullopt;
}

std::optional<std::uint64_t> ParseSwitches(std::string_view status) {
  std::optional<std::uint64_t> voluntary;
  std::optional<std::uint64_t> involuntary;
  while (!status.empty()) {
    const std::string_view line = status.substr(0, status.find('\n'));
    status.remove_prefix(std::min(line.size() + 1, status.size()));
    if (const auto number = NumberOf(line, "voluntary_ctxt_switches")) {
      voluntary = number;
    } else if (const auto other = NumberOf(line, "nonvoluntary_ctxt_switches")) {
      involuntary = other;
    }
  }
  return voluntary && involuntary ? std::optional(*voluntary + *involuntary) : std::nullopt;
}

Result<CpuTime> ReadCpuTime(pid_t pid) {
  CpuTime time;
  bool complete = true;
  const auto add = [&](const fs::path& task, std::string_view name) {
    if (IsVcpuThread(name)) {
      return;
    }
    const auto text = ReadSmallFile(task / "schedstat");
    const auto spent = text ? ParseSchedstat(*text) : std::nullopt;
    complete = complete && spent.has_value();
    time.others += spent.value_or(std::chrono::nanoseconds{});
  };
  if (auto read = ForEachThread(pid, add); !read) {
    return tl::make_unexpected(std::move(read.error()));
  }
  clockid_t clock{};
  timespec total{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &total) != 0) {
    return FailErrno(errno, "the CPU clock of process {}", pid);
  }
  time.total = std::chrono::seconds(total.tv_sec) + std::chrono::nanoseconds(total.tv_nsec);
  if (!complete) {
    return Fail(ErrorCode::kUnsupported, "this kernel has no /proc/PID/task/TID/schedstat");
  }
  return time;
}

Result<ContextSwitches> ReadContextSwitches(pid_t pid) {
  ContextSwitches switches;
  const auto add = [&](const fs::path& task, std::string_view name) {
    const auto text = ReadSmallFile(task / "status");
    const auto count = text ? ParseSwitches(*text) : std::nullopt;
    (IsVcpuThread(name) ? switches.vcpus : switches.others) += count.value_or(0);
  };
  if (auto read = ForEachThread(pid, add); !read) {
    return tl::make_unexpected(std::move(read.error()));
  }
  return switches;
}

}  // namespace tidevm::guest_tests
