#include "tools/benchmark/kvm_counters.h"

#include <charconv>
#include <system_error>

#include "guest-tests/harness/small_files.h"

namespace tidevm::benchmark {
namespace {

namespace fs = std::filesystem;
using guest_tests::ReadSmallFile;

/// The VM's folder is called PID-FD.
std::optional<fs::path> FolderOf(pid_t pid, const fs::path& root) {
  const std::string prefix = std::to_string(pid) + "-";
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with(prefix)) {
      return entry->path();
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<KvmCounters> ReadKvmCounters(pid_t pid, const fs::path& root) {
  const auto folder = FolderOf(pid, root);
  if (!folder) {
    return std::nullopt;
  }
  KvmCounters counters;
  std::error_code error;
  for (fs::directory_iterator entry(*folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto text = entry->is_regular_file() ? ReadSmallFile(entry->path()) : std::nullopt;
    std::uint64_t value = 0;
    // Histograms have more than one number, and are left out.
    if (text && std::from_chars(text->data(), text->data() + text->size(), value).ptr ==
                    text->data() + text->size()) {
      counters[entry->path().filename()] = value;
    }
  }
  return error || counters.empty() ? std::nullopt : std::optional(counters);
}

KvmCounters Difference(const KvmCounters& before, const KvmCounters& after) {
  KvmCounters difference;
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    const std::uint64_t start = old == before.end() ? 0 : old->second;
    if (value > start) {
      difference[name] = value - start;
    }
  }
  return difference;
}

}  // namespace tidevm::benchmark
