#include "tools/benchmark/scenarios.h"

#include <charconv>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "guest-tests/harness/process_usage.h"
#include "tools/benchmark/guest_lines.h"
#include "tools/benchmark/hotplug.h"
#include "tools/benchmark/measured_vm.h"

namespace tidevm::benchmark {
namespace {

using guest_tests::MemoryUse;
using guest_tests::ReadContextSwitches;
using guest_tests::ReadMemoryUse;
using VmPointer = std::unique_ptr<MeasuredVm>;

constexpr std::string_view kFirst = "first";
constexpr std::string_view kAgain = "again";

std::vector<std::string_view> Turns(bool again) {
  return again ? std::vector{kFirst, kAgain} : std::vector{kFirst};
}

/// Starts a VM and waits for its guest's init; the boot is a sample.
Result<VmPointer> Boot(const Bench& bench, System system, const Shape& shape) {
  bench.first_entry.Arm();
  auto vm = MeasuredVm::Start(system, bench.programs, shape, bench.directory);
  if (!vm) {
    return vm;
  }
  std::optional<GuestReady> ready;
  Clock::time_point arrived;
  const auto waited = (*vm)->WaitUntil("the guest's init", [&] {
    for (const StampedLine& line : (*vm)->LinesSince({})) {
      if (!ready && (ready = ParseReady(line.text))) {
        arrived = line.arrived;
      }
    }
    return ready.has_value();
  });
  if (!waited) {
    return tl::make_unexpected(waited.error());
  }
  const auto started = (*vm)->started();
  Json sample = {{"boot", shape.boot}, {"max", shape.max}, {"cmdline", shape.more_cmdline}};
  sample["ns"]["init"] = (arrived - started).count();
  // By the guest's own clock, which its kernel starts early in its boot.
  sample["ns"]["kernel-clock"] = (arrived - ready->uptime - started).count();
  if (const auto entered = bench.first_entry.Take((*vm)->pid())) {
    sample["ns"]["first-entry"] = (*entered - started).count();
  }
  bench.recorder.Add("boot", std::move(sample));
  if (auto opened = (*vm)->OpenControl(); !opened) {
    return tl::make_unexpected(std::move(opened.error()));
  }
  return vm;
}

Result<void> SampleMemory(const Bench& bench, const MeasuredVm& vm, std::uint32_t cpus,
                          std::uint32_t max) {
  constexpr std::uint64_t kMebibyte = 1U << 20;
  return ReadMemoryUse(vm.pid(), bench.memory_mebibytes * kMebibyte).map([&](const MemoryUse& use) {
    bench.recorder.Add("memory", {{"cpus", cpus},
                                  {"max", max},
                                  {"bytes",
                                   {{"resident", use.resident},
                                    {"proportional", use.proportional},
                                    {"private-dirty", use.private_dirty},
                                    {"guest-resident", use.guest_resident}}}});
  });
}

Result<void> SampleIdle(const Bench& bench, MeasuredVm& vm, std::uint32_t cpus,
                        std::chrono::milliseconds duration) {
  const auto before = ReadContextSwitches(vm.pid());
  const auto from = Clock::now();
  vm.Watch(duration);
  const std::chrono::nanoseconds watched = Clock::now() - from;
  const auto after = ReadContextSwitches(vm.pid());
  if (!before || !after) {
    return tl::make_unexpected(before ? after.error() : before.error());
  }
  bench.recorder.Add(
      "idle",
      {{"cpus", cpus},
       {"ns", {{"watched", watched.count()}}},
       {"switches",
        {{"vcpus", after->vcpus - before->vcpus}, {"others", after->others - before->others}}}});
  return {};
}

/// Records the change that `request` makes.
Result<void> SampleChange(const Bench& bench, std::string_view what, std::string_view turn,
                          Result<Json> sample) {
  return std::move(sample).map([&](Json taken) {
    taken["turn"] = turn;
    bench.recorder.Add(what, std::move(taken));
  });
}

Result<void> AddOneByOne(const Bench& bench, MeasuredVm& vm, VcpuRequests& vcpus,
                         const CycleSettings& settings, std::string_view turn) {
  for (std::uint32_t cpus = 1; cpus < settings.max; ++cpus) {
    auto added = SampleChange(bench, "add", turn, vcpus.Add(cpus, cpus + 1));
    if (added && turn == kFirst) {
      added = SampleMemory(bench, vm, cpus + 1, settings.max);
    }
    if (!added) {
      return added;
    }
  }
  return {};
}

Result<void> RemoveOneByOne(const Bench& bench, VcpuRequests& vcpus, const CycleSettings& settings,
                            std::string_view turn) {
  for (std::uint32_t cpus = settings.max; cpus > 1; --cpus) {
    if (auto removed = SampleChange(bench, "remove", turn, vcpus.Remove(cpus, cpus - 1));
        !removed) {
      return removed;
    }
  }
  return {};
}

/// One question to the guest of a floor.
Result<void> SampleFloor(const Bench& bench, MeasuredVm& vm, std::uint32_t cpu, bool online,
                         std::string_view turn) {
  const auto answer = vm.Ask(fmt::format("online-cpu {} {}", cpu, online ? 1 : 0));
  if (!answer) {
    return tl::make_unexpected(answer.error());
  }
  const std::string text = answer->empty() ? "" : answer->front();
  std::int64_t microseconds = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), microseconds).ec != std::errc{}) {
    return Fail(ErrorCode::kIo, "the guest's answer \"{}\" is no number of microseconds", text);
  }
  bench.recorder.Add(
      "floor",
      {{"cpu", cpu},
       {"step", online ? "online" : "offline"},
       {"turn", turn},
       {"ns",
        {{"guest", std::chrono::nanoseconds(std::chrono::microseconds(microseconds)).count()}}}});
  return {};
}

}  // namespace

Result<void> RunBoot(const Bench& bench, System system, std::uint32_t max) {
  auto vm =
      Boot(bench, system, {.boot = 1, .max = max, .memory_mebibytes = bench.memory_mebibytes});
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  return SampleMemory(bench, **vm, 1, max).and_then([&] { return (*vm)->Quit(); });
}

Result<void> RunCycle(const Bench& bench, System system, const CycleSettings& settings) {
  auto vm = Boot(bench, system,
                 {.boot = 1, .max = settings.max, .memory_mebibytes = bench.memory_mebibytes});
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  auto vcpus = VcpuRequests::Of(**vm);
  if (!vcpus) {
    return tl::make_unexpected(std::move(vcpus.error()));
  }
  if (auto memory = SampleMemory(bench, **vm, 1, settings.max); !memory) {
    return memory;
  }
  for (const std::string_view turn : Turns(settings.again)) {
    auto done = AddOneByOne(bench, **vm, *vcpus, settings, turn);
    if (done && turn == kFirst) {
      done = SampleIdle(bench, **vm, settings.max, settings.idle);
    }
    done = done.and_then([&] { return RemoveOneByOne(bench, *vcpus, settings, turn); });
    if (!done) {
      return done;
    }
  }
  return (*vm)->Quit();
}

Result<void> RunBurst(const Bench& bench, System system, std::uint32_t to, std::uint32_t max) {
  auto vm =
      Boot(bench, system, {.boot = 1, .max = max, .memory_mebibytes = bench.memory_mebibytes});
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  auto vcpus = VcpuRequests::Of(**vm);
  if (!vcpus) {
    return tl::make_unexpected(std::move(vcpus.error()));
  }
  return SampleChange(bench, "add", kFirst, vcpus->Add(1, to))
      .and_then([&] { return SampleChange(bench, "remove", kFirst, vcpus->Remove(to, 1)); })
      .and_then([&] { return (*vm)->Quit(); });
}

Result<void> RunFloor(const Bench& bench, System system, std::uint32_t cpus, bool again) {
  auto vm = Boot(bench, system,
                 {.boot = cpus,
                  .max = cpus,
                  .memory_mebibytes = bench.memory_mebibytes,
                  .more_cmdline = "maxcpus=1 tidevm.auto-online=off"});
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  for (const std::string_view turn : Turns(again)) {
    for (std::uint32_t cpu = 1; cpu < cpus; ++cpu) {
      if (auto online = SampleFloor(bench, **vm, cpu, true, turn); !online) {
        return online;
      }
    }
    for (std::uint32_t cpu = cpus - 1; cpu > 0; --cpu) {
      if (auto offline = SampleFloor(bench, **vm, cpu, false, turn); !offline) {
        return offline;
      }
    }
  }
  return (*vm)->Quit();
}

}  // namespace tidevm::benchmark
