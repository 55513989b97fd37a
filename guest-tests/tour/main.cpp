// hotplug-tour: boots a guest, lets its vCPUs come and go, and shows at each step what was asked,
// what the guest says, and which vCPU threads the host has. What tools/quickstart ends with.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "guest-tests/harness/guest_vm.h"

namespace tidevm::guest_tests {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kSteps[] = {4, 2, 4, 1};

/// "4 of 4 vCPUs: 0-3"
struct Row {
  std::string asked;
  CpuSet guest_online;
  CpuSet guest_present;
  CpuSet control;
  CpuSet threads;
  bool agrees(std::uint32_t count) const {
    return guest_online == CpuSet::FirstN(count) && guest_present == guest_online &&
           control == guest_online && threads == guest_online;
  }
};

Result<Row> Look(GuestVm& vm, std::string asked) {
  Row row{.asked = std::move(asked),
          .guest_online = {},
          .guest_present = {},
          .control = {},
          .threads = vm.HostThreads()};
  const auto take = [](Result<CpuSet> set, CpuSet& into) -> Result<void> {
    return std::move(set).map([&into](CpuSet got) { into = std::move(got); });
  };
  const auto taken = take(vm.GuestOnline(), row.guest_online)
                         .and_then([&] { return take(vm.GuestPresent(), row.guest_present); })
                         .and_then([&] { return take(vm.ControlPresent(), row.control); });
  if (!taken) {
    return tl::make_unexpected(taken.error());
  }
  return row;
}

void PrintOperation(const OperationEnd& operation) {
  std::string phases;
  for (const auto& [name, since] : operation.phases) {
    phases += fmt::format("{}{} {:.1f}", phases.empty() ? "" : ", ", name,
                          std::chrono::duration<double, std::milli>(since).count());
  }
  std::printf("  %-6s vCPU %u: %s   (ms: %s)\n", operation.kind.c_str(), operation.cpu,
              operation.outcome.c_str(), phases.c_str());
}

void PrintTable(const std::vector<Row>& rows) {
  std::printf("\n%-22s %-13s %-13s %-15s %s\n", "asked", "guest online", "guest present",
              "control socket", "host vCPU threads");
  for (const Row& row : rows) {
    std::printf("%-22s %-13s %-13s %-15s %u (%s)\n", row.asked.c_str(),
                row.guest_online.ToString().c_str(), row.guest_present.ToString().c_str(),
                row.control.ToString().c_str(), row.threads.size(), row.threads.ToString().c_str());
  }
}

Result<bool> Step(GuestVm& vm, std::uint32_t count, std::vector<Row>& rows) {
  std::printf("\nset-vcpus %u\n", count);
  const auto operations = vm.SetVcpus({{"count", count}});
  if (!operations) {
    return tl::make_unexpected(operations.error());
  }
  for (const OperationEnd& operation : *operations) {
    PrintOperation(operation);
  }
  if (auto online = vm.WaitGuestOnline(CpuSet::FirstN(count)); !online) {
    return tl::make_unexpected(online.error());
  }
  auto row = Look(vm, fmt::format("set-vcpus {}", count));
  if (!row) {
    return tl::make_unexpected(row.error());
  }
  rows.push_back(std::move(*row));
  return rows.back().agrees(count);
}

Result<bool> Tour() {
  const auto files = FilesFromEnvironment();
  if (!files) {
    return tl::make_unexpected(files.error());
  }
  const auto start = Clock::now();
  auto vm = GuestVm::Start(*files, {.cpus = "boot=1,max=4"});
  if (!vm) {
    return tl::make_unexpected(vm.error());
  }
  std::printf("tidevm --kernel %s --cpus boot=1,max=4: started\n",
              std::filesystem::path(files->kernel).filename().c_str());
  std::fflush(stdout);
  if (auto ready = (*vm)->WaitReady(); !ready) {
    return tl::make_unexpected(ready.error());
  }
  const auto release = (*vm)->Ask("cat /proc/sys/kernel/osrelease");
  if (!release) {
    return tl::make_unexpected(release.error());
  }
  std::printf("Linux %s is up after %.1f s\n", release->first().c_str(),
              std::chrono::duration<double>(Clock::now() - start).count());
  std::vector<Row> rows;
  auto first = Look(**vm, "boot=1,max=4");
  if (!first) {
    return tl::make_unexpected(first.error());
  }
  rows.push_back(std::move(*first));
  bool good = rows.back().agrees(1);
  for (const std::uint32_t count : kSteps) {
    const auto step = Step(**vm, count, rows);
    if (!step) {
      return tl::make_unexpected(step.error());
    }
    std::fflush(stdout);
    good = good && *step;
  }
  const auto pressed = (*vm)->Execute("system_powerdown");
  if (!pressed) {
    return tl::make_unexpected(pressed.error());
  }
  const auto status = (*vm)->WaitForExit();
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  PrintTable(rows);
  std::printf("\nsystem_powerdown: the guest powered off, tidevm's exit status is %d\n", *status);
  return good && *status == 0;
}

}  // namespace
}  // namespace tidevm::guest_tests

int main() {
  const auto good = tidevm::guest_tests::Tour();
  if (!good) {
    std::fprintf(stderr, "hotplug-tour: %s\n", good.error().message.c_str());
    return EXIT_FAILURE;
  }
  if (!*good) {
    std::fprintf(stderr, "hotplug-tour: what was asked and what was found differ, see the table\n");
  }
  return *good ? EXIT_SUCCESS : EXIT_FAILURE;
}
