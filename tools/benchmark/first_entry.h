// When a VM entered its guest for the first time, by KVM's own tracepoint kvm:kvm_entry: one
// observer for every VMM, and nothing for the VMM to do.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace tidevm::benchmark {

/// A tracing instance of its own, with the one event on for as long as this lives, so that it costs
/// every VM the same. It stops recording with the first entry after Arm().
class FirstEntryProbe {
 public:
  /// Unavailable where tracefs is not mounted, or not ours to use (it is for root).
  FirstEntryProbe();
  FirstEntryProbe(const FirstEntryProbe&) = delete;
  FirstEntryProbe& operator=(const FirstEntryProbe&) = delete;
  ~FirstEntryProbe();

  bool available() const { return !instance_.empty(); }

  /// Before a VM is started.
  void Arm() const;
  /// The first entry since, if a thread of `pid` made it.
  std::optional<std::chrono::steady_clock::time_point> Take(pid_t pid) const;

 private:
  bool SetUp() const;
  std::filesystem::path instance_;
};

struct TracedEntry {
  pid_t thread = 0;
  std::chrono::steady_clock::time_point when;
};
/// The first kvm_entry in a trace whose clock is CLOCK_MONOTONIC ("mono").
std::optional<TracedEntry> ParseFirstEntry(std::string_view trace);

}  // namespace tidevm::benchmark
