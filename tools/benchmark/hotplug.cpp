#include "tools/benchmark/hotplug.h"

#include <algorithm>
#include <string>
#include <utility>

#include "tools/benchmark/usage.h"

namespace tidevm::benchmark {
namespace {

std::string IdOf(std::uint32_t cpu) { return fmt::format("cpu{}", cpu); }

}  // namespace

Result<VcpuRequests> VcpuRequests::Of(MeasuredVm& vm) {
  auto listed = vm.Execute("query-hotpluggable-cpus");
  if (!listed) {
    return tl::make_unexpected(std::move(listed.error()));
  }
  std::vector<Json> places;
  for (const Json& cpu : *listed) {
    Json place = cpu["props"];
    place["driver"] = cpu["type"];
    places.push_back(std::move(place));
  }
  std::ranges::reverse(places);  // the highest comes first
  return VcpuRequests(vm, std::move(places));
}

std::vector<Json> VcpuRequests::Commands(std::uint32_t from, std::uint32_t to) const {
  const std::uint32_t count = from < to ? to - from : from - to;
  if (vm_->system() == System::kTidevm && count > 1) {
    return {{{"execute", "set-vcpus"}, {"arguments", {{"count", to}}}}};
  }
  std::vector<Json> commands;
  for (std::uint32_t cpu = from; cpu < to; ++cpu) {
    Json place = places_.at(cpu);
    place["id"] = IdOf(cpu);
    commands.push_back({{"execute", "device_add"}, {"arguments", std::move(place)}});
  }
  for (std::uint32_t cpu = from; cpu > to; --cpu) {
    commands.push_back({{"execute", "device_del"}, {"arguments", {{"id", IdOf(cpu - 1)}}}});
  }
  return commands;
}

/// The phases of tidevm's last `count` operations: [{"cpu", "ns": {PHASE: TIME}}].
Result<Json> VcpuRequests::Operations(std::uint32_t count) const {
  const auto all = vm_->Execute("query-vcpu-operations");
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  Json list = Json::array();
  for (std::size_t i = all->size() - std::min<std::size_t>(count, all->size()); i < all->size();
       ++i) {
    const Json& operation = (*all)[i];
    Json phases = Json::object();
    for (const Json& phase : operation["phases"]) {
      phases[phase["phase"].get<std::string>()] = phase["since-request-ns"];
    }
    list.push_back({{"cpu", operation["cpu"]}, {"ns", std::move(phases)}});
  }
  return list;
}

Result<void> VcpuRequests::WaitFor(Change& change, const Complete& complete) {
  HotplugProgress& progress = change.progress;
  const auto look = [&] {
    for (const QmpMessage& message : vm_->MessagesSince(change.seen)) {
      progress.Note(message);
    }
    for (const StampedLine& line : vm_->LinesSince(change.seen)) {
      progress.Note(line);
    }
    change.seen = vm_->mark();
    return complete(progress) || !progress.failure.empty();
  };
  if (auto waited = vm_->WaitUntil("the end of a change of its vCPUs", look); !waited) {
    return waited;
  }
  if (!progress.failure.empty()) {
    return Fail(ErrorCode::kIo, "{}: {}", Name(vm_->system()), progress.failure);
  }
  return {};
}

/// Asks for the change, waits until all that is `measured` has come, looks at what that cost, and
/// waits until it is `over`: what the guest says later belongs to no other change.
Result<VcpuRequests::Change> VcpuRequests::Measure(std::uint32_t from, std::uint32_t to,
                                                   const Complete& measured, const Complete& over) {
  const std::vector<Json> commands = Commands(from, to);
  // An answer from the guest's init: it has nothing else to do.
  if (auto idle = vm_->Ask("ping"); !idle) {
    return tl::make_unexpected(std::move(idle.error()));
  }
  const auto before = LookBefore(*vm_);
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  Change change{.seen = vm_->mark(), .requested = Clock::now(), .progress = {}, .sample = {}};
  if (auto sent = vm_->Send(commands); !sent) {
    return tl::make_unexpected(std::move(sent.error()));
  }
  const auto answered = [&](const HotplugProgress& now) {
    return now.answers.count >= commands.size() && measured(now);
  };
  if (auto waited = WaitFor(change, answered); !waited) {
    return tl::make_unexpected(std::move(waited.error()));
  }
  const auto last_answer = change.progress.answers.last - change.requested;
  auto spent = SpentSince(*vm_, *before);
  if (!spent) {
    return tl::make_unexpected(std::move(spent.error()));
  }
  change.sample = std::move(*spent);
  change.sample["from"] = from;
  change.sample["to"] = to;
  change.sample["ns"]["answered"] = last_answer.count();
  if (auto waited = WaitFor(change, over); !waited) {
    return tl::make_unexpected(std::move(waited.error()));
  }
  if (vm_->system() == System::kTidevm) {
    auto operations = Operations(from < to ? to - from : from - to);
    if (!operations) {
      return tl::make_unexpected(std::move(operations.error()));
    }
    change.sample["operations"] = std::move(*operations);
  }
  return change;
}

Result<Json> VcpuRequests::Add(std::uint32_t from, std::uint32_t to) {
  const std::uint32_t count = to - from;
  const auto measured = [count](const HotplugProgress& now) {
    return now.registered.count >= count && now.online.count >= count;
  };
  return Measure(from, to, measured, Over(count)).map([](Change change) {
    const HotplugProgress& progress = change.progress;
    Json& sample = change.sample;
    sample["ns"]["registered"] = (progress.registered.last - change.requested).count();
    sample["ns"]["online"] = (progress.online.last - change.requested).count();
    for (const std::chrono::nanoseconds took : progress.online_took) {
      sample["guest-online-ns"].push_back(took.count());
    }
    return std::move(sample);
  });
}

Result<Json> VcpuRequests::Remove(std::uint32_t from, std::uint32_t to) {
  const std::uint32_t count = from - to;
  const auto measured = [count](const HotplugProgress& now) { return now.deleted.count >= count; };
  const auto over = [count, done = Over(count)](const HotplugProgress& now) {
    return now.reported.count >= count && now.gone.count >= count && done(now);
  };
  return Measure(from, to, measured, over).map([](Change change) {
    const HotplugProgress& progress = change.progress;
    Json& sample = change.sample;
    sample["ns"]["in-progress"] = (progress.in_progress.last - change.requested).count();
    sample["ns"]["deleted"] = (progress.deleted.last - change.requested).count();
    return std::move(sample);
  });
}

/// tidevm says itself that an operation has ended.
VcpuRequests::Complete VcpuRequests::Over(std::uint32_t count) const {
  const std::uint32_t reports = vm_->system() == System::kTidevm ? count : 0;
  return [reports](const HotplugProgress& now) { return now.done.count >= reports; };
}

}  // namespace tidevm::benchmark
