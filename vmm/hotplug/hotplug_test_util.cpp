#include "vmm/hotplug/hotplug_test_util.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tidevm::hotplug {
namespace {

std::vector<ApicId> ApicIds(std::uint32_t max) {
  std::vector<ApicId> ids(max);
  for (CpuId cpu = 0; cpu < max; ++cpu) {
    ids[cpu] = cpu;
  }
  return ids;
}

}  // namespace

std::vector<ScriptedGuest::Notification> ScriptedGuest::Scan() {
  using namespace cpu_hotplug;
  std::vector<Notification> notifications;
  for (;;) {
    Command(kCommandNextWithEvent);
    const std::uint8_t flags = Flags();
    const bool insert = (flags & kFlagInsertEvent) != 0;
    if (!insert && (flags & kFlagRemoveEvent) == 0) {
      return notifications;
    }
    notifications.push_back({.cpu = Data(), .value = insert ? 1U : 3U});
    WriteFlags(insert ? kFlagInsertEvent : kFlagRemoveEvent);
  }
}

void ScriptedGuest::Ost(CpuId cpu, std::uint32_t event, std::uint32_t status) {
  Select(cpu);
  Command(cpu_hotplug::kCommandOstEvent);
  Write32(cpu_hotplug::kCommandDataOffset, event);
  Command(cpu_hotplug::kCommandOstStatus);
  Write32(cpu_hotplug::kCommandDataOffset, status);
}

void ScriptedGuest::Eject(CpuId cpu) {
  EjectOnly(cpu);
  IsPresent(cpu);
}

void ScriptedGuest::EjectOnly(CpuId cpu) {
  Select(cpu);
  WriteFlags(cpu_hotplug::kFlagEject);
}

bool ScriptedGuest::IsPresent(CpuId cpu) {
  Select(cpu);
  return (Flags() & cpu_hotplug::kFlagPresent) != 0;
}

std::optional<pid_t> FakeVcpu::thread_id() const {
  return thread_ ? std::optional<pid_t>(1000 + static_cast<pid_t>(cpu())) : std::nullopt;
}

std::optional<CpuSet> FakeVcpu::affinity() const { return bound; }

std::vector<std::uint64_t> FakeVcpu::exit_counts() const { return {}; }

Result<void> FakeVcpu::SetAffinity(const CpuSet& host_cpus) {
  bound = host_cpus;
  return {};
}

Result<void> FakeVcpu::DoSetEntry(const vcpu::LongModeEntry& /*entry*/) { return {}; }

Result<void> FakeVcpu::DoStart() {
  if (fail_start) {
    return Fail(ErrorCode::kIo, "no thread for vCPU {}", cpu());
  }
  ++starts;
  thread_ = true;
  return {};
}

void FakeVcpu::DoJoin() {
  ++joins;
  thread_ = false;
  stop_requested_ = false;
}

Result<void> FakeVcpu::DoRevive() {
  if (fail_revive) {
    return Fail(ErrorCode::kIo, "vCPU {} cannot be revived", cpu());
  }
  ++revivals;
  return {};
}

void ListenerLog::OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) {
  if (states[cpu].empty() || states[cpu].back() != state) {
    states[cpu].push_back(state);
  }
  onlines[cpu].push_back(online);
}

void ListenerLog::OnOst(CpuId cpu, const std::string& device_id, OstReport /*report*/) {
  osts.emplace_back(cpu, device_id);
}

void ListenerLog::OnUnplugged(CpuId cpu, const std::string& device_id) {
  unplugged.emplace_back(cpu, device_id);
}

void ListenerLog::OnUnplugRefused(CpuId cpu, const std::string& device_id) {
  refused.emplace_back(cpu, device_id);
}

std::vector<Phase> PhasesOf(const Operation& operation) {
  std::vector<Phase> phases;
  for (const Operation::Reached& reached : operation.reached) {
    phases.push_back(reached.phase);
  }
  return phases;
}

void Must(const Result<void>& result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
}

TestBench::TestBench(std::uint32_t max, std::uint32_t boot)
    : intents(IntentQueue::Create().value()),
      registers(ApicIds(max), line, *intents),
      guest(registers),
      controller(
          registers, *intents, [this](CpuId cpu) { return Make(cpu); }, listener) {
  Must(controller.CreateBootCpus(boot));
  Must(controller.StartAll());
}

TestBench::~TestBench() = default;

void TestBench::EndThreads() {
  for (const auto& [cpu, vcpu] : vcpus) {
    if (vcpu->stop_requested()) {
      controller.HandleThreadEnded(cpu, {});
    }
  }
}

void TestBench::Obey() {
  Settle();
  EndThreads();
  for (CpuId cpu = 0; cpu < registers.cpu_count(); ++cpu) {
    guest.IsPresent(cpu);  // also what it ejected and has not looked at since
  }
  for (auto asked = guest.Scan(); !asked.empty(); asked = guest.Scan()) {
    for (const auto& [cpu, value] : asked) {
      Answer(cpu, value);
    }
    Settle();
    EndThreads();
  }
}

void TestBench::Answer(CpuId cpu, std::uint32_t notification) {
  if (notification == 1) {
    guest.Ost(cpu, 1, 0);
    Settle();
    Arm(cpu, true);
  } else {
    guest.Ost(cpu, 3, 0x84);
    Settle();
    Arm(cpu, false);
    guest.Eject(cpu);
    guest.Ost(cpu, 3, 0);
  }
}

void TestBench::Plug(CpuId cpu, std::string device_id) {
  controller.Add(cpu, std::move(device_id)).value();
  Obey();
}

void TestBench::GuestArms() {
  guest_arms = true;
  controller.HandleOnline(0, true);
}

void TestBench::Arm(CpuId cpu, bool armed) {
  if (guest_arms) {
    controller.HandleOnline(cpu, armed);
  }
}

void TestBench::LetTimePass() {
  controller.HandleDeadlines(Operation::Clock::now() + kLongestDeadline + kDefaultDeadline);
}

const Operation& TestBench::AskedFor(CpuId cpu) {
  const Operation* const operation = controller.Remove(cpu).value();
  guest.Scan();
  Settle();
  return *operation;
}

const Operation& TestBench::Announced(CpuId cpu, std::string device_id) {
  const Operation* const operation = controller.Add(cpu, std::move(device_id)).value();
  guest.Scan();
  Settle();
  return *operation;
}

void TestBench::ResetGuest() {
  controller.BeginReset();
  EndThreads();
  controller.FinishReset().value();
  Must(controller.StartAll());
}

std::uint32_t TestBench::pending_count() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(controller.operations(), &Operation::pending));
}

CpuSet TestBench::present() const {
  CpuSet set;
  for (CpuId cpu = 0; cpu < registers.cpu_count(); ++cpu) {
    if (registers.flags(cpu).present) {
      set.Insert(cpu);
    }
  }
  return set;
}

CpuSet TestBench::with_thread() const {
  CpuSet set;
  for (const auto& [cpu, vcpu] : vcpus) {
    if (vcpu->has_thread()) {
      set.Insert(cpu);
    }
  }
  return set;
}

Result<std::unique_ptr<vcpu::Vcpu>> TestBench::Make(CpuId cpu) {
  if (fail_make) {
    return Fail(ErrorCode::kLimitExceeded, "no more vCPUs");
  }
  ++made;
  auto vcpu = std::make_unique<FakeVcpu>(cpu);
  vcpu->fail_start = fail_start;
  vcpus[cpu] = vcpu.get();
  return vcpu;
}

}  // namespace tidevm::hotplug
