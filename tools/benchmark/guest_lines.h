// What the guest's init says by itself on the serial line (guest-tests/linux/init).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace tidevm::benchmark {

/// "@tidevm READY online=0 uptime=1.234567"
struct GuestReady {
  std::chrono::microseconds uptime{};  // by the guest's clock, when it wrote this
};

/// "@tidevm cpu 3 online uptime=12.345678 took-us=4321"
struct GuestOnline {
  int cpu = 0;                       // the guest kernel's number
  std::chrono::microseconds took{};  // by the guest's clock: the write to the CPU's `online`
};

// Each: nullopt for any other line.
std::optional<GuestReady> ParseReady(std::string_view line);
std::optional<GuestOnline> ParseOnline(std::string_view line);
/// "@tidevm cpu 3 removed uptime=..."; the number.
std::optional<int> ParseRemoved(std::string_view line);
/// "@tidevm cpu 3 failed errno=5 ..."; the number.
std::optional<int> ParseOnlineFailed(std::string_view line);

}  // namespace tidevm::benchmark
