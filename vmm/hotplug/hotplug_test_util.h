// What the hotplug tests share: a machine whose vCPUs have no threads, and a guest that drives the
// registers as the AML does.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tidevm/cpu_hotplug_registers.h"
#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

/// Remembers every call, so that a level that is set twice shows.
class LineLog final : public devices::InterruptLine {
 public:
  void Set(bool asserted) override { levels_.push_back(asserted); }
  std::optional<bool> has_handler() const override { return handler; }
  bool high() const { return !levels_.empty() && levels_.back(); }
  const std::vector<bool>& levels() const { return levels_; }
  void Forget() { levels_.clear(); }

  std::optional<bool> handler;

 private:
  std::vector<bool> levels_;
};

/// Accesses of the right width, as the AML's fields make them, and what its methods do with them.
class ScriptedGuest {
 public:
  explicit ScriptedGuest(CpuRegisterBlock& registers) : registers_(registers) {}

  struct Notification {
    CpuId cpu = 0;
    std::uint32_t value = 0;  // 1 device check, 3 eject request
    friend bool operator==(const Notification&, const Notification&) = default;
  };

  void Write8(std::uint64_t offset, std::uint8_t value) {
    registers_.Write(offset, std::array{std::byte{value}});
  }
  void Write32(std::uint64_t offset, std::uint32_t value) {
    registers_.Write(offset, std::as_bytes(std::span(&value, 1)));
  }
  std::uint8_t Read8(std::uint64_t offset) {
    std::uint8_t value = 0x5a;
    registers_.Read(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  std::uint32_t Read32(std::uint64_t offset) {
    std::uint32_t value = 0x5a5a5a5a;
    registers_.Read(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

  void Select(std::uint32_t cpu) { Write32(cpu_hotplug::kSelectorOffset, cpu); }
  void Command(std::uint8_t command) { Write8(cpu_hotplug::kCommandOffset, command); }
  std::uint32_t Data() { return Read32(cpu_hotplug::kCommandDataOffset); }
  std::uint8_t Flags() { return Read8(cpu_hotplug::kFlagsOffset); }
  void WriteFlags(std::uint8_t flags) { Write8(cpu_hotplug::kFlagsOffset, flags); }

  /// CSCN.
  std::vector<Notification> Scan() {
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

  /// _OST
  void Ost(CpuId cpu, std::uint32_t event, std::uint32_t status) {
    Select(cpu);
    Command(cpu_hotplug::kCommandOstEvent);
    Write32(cpu_hotplug::kCommandDataOffset, event);
    Command(cpu_hotplug::kCommandOstStatus);
    Write32(cpu_hotplug::kCommandDataOffset, status);
  }

  /// _EJ0
  void Eject(CpuId cpu) {
    Select(cpu);
    WriteFlags(cpu_hotplug::kFlagEject);
  }

  /// _STA
  bool IsPresent(CpuId cpu) {
    Select(cpu);
    return (Flags() & cpu_hotplug::kFlagPresent) != 0;
  }

 private:
  CpuRegisterBlock& registers_;
};

/// Has a "thread" from its start to its join; the test says when that thread ends.
class FakeVcpu final : public vcpu::Vcpu {
 public:
  explicit FakeVcpu(CpuId cpu) : Vcpu(cpu, cpu) {}

  std::optional<pid_t> thread_id() const override {
    return thread_ ? std::optional<pid_t>(1000 + static_cast<pid_t>(cpu())) : std::nullopt;
  }
  std::chrono::nanoseconds cpu_time() const override { return {}; }
  std::chrono::nanoseconds total_cpu_time() const override { return {}; }
  std::optional<CpuSet> affinity() const override { return bound; }
  std::vector<std::uint64_t> exit_counts() const override { return {}; }
  Result<void> SetAffinity(const CpuSet& host_cpus) override {
    bound = host_cpus;
    return {};
  }
  bool has_thread() const override { return thread_; }
  bool held() const override { return is_held; }
  void Kick() override { ++kicks; }

  bool stop_requested() const { return stop_requested_; }

  std::optional<CpuSet> bound;
  bool is_held = false;
  bool fail_start = false;
  bool fail_revive = false;
  int kicks = 0;
  int starts = 0;
  int joins = 0;
  int revivals = 0;

 private:
  Result<void> DoSetEntry(const vcpu::LongModeEntry& /*entry*/) override { return {}; }
  Result<void> DoStart() override {
    if (fail_start) {
      return Fail(ErrorCode::kIo, "no thread for vCPU {}", cpu());
    }
    ++starts;
    thread_ = true;
    return {};
  }
  void DoRequestStop() override { stop_requested_ = true; }
  void DoJoin() override {
    ++joins;
    thread_ = false;
    stop_requested_ = false;
  }
  Result<void> DoRevive() override {
    if (fail_revive) {
      return Fail(ErrorCode::kIo, "vCPU {} cannot be revived", cpu());
    }
    ++revivals;
    return {};
  }

  bool thread_ = false;
  bool stop_requested_ = false;
};

/// Remembers what the machine was told.
class ListenerLog final : public HotplugListener {
 public:
  using Named = std::pair<CpuId, std::string>;

  void OnOperation(const Operation& /*operation*/) override { ++operation_changes; }
  void OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) override {
    if (states[cpu].empty() || states[cpu].back() != state) {
      states[cpu].push_back(state);
    }
    onlines[cpu].push_back(online);
  }
  void OnOst(CpuId cpu, const std::string& device_id, OstReport /*report*/) override {
    osts.emplace_back(cpu, device_id);
  }
  void OnUnplugged(CpuId cpu, const std::string& device_id) override {
    unplugged.emplace_back(cpu, device_id);
  }
  void OnUnplugRefused(CpuId cpu, const std::string& device_id) override {
    refused.emplace_back(cpu, device_id);
  }

  int operation_changes = 0;
  std::map<CpuId, std::vector<vcpu::VcpuState>> states;
  std::map<CpuId, std::vector<std::optional<bool>>> onlines;
  std::vector<Named> osts;
  std::vector<Named> unplugged;
  std::vector<Named> refused;
};

inline std::vector<Phase> PhasesOf(const Operation& operation) {
  std::vector<Phase> phases;
  for (const Operation::Reached& reached : operation.reached) {
    phases.push_back(reached.phase);
  }
  return phases;
}

/// What value() is for results that have one.
inline void Must(const Result<void>& result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
}

/// A machine with everything but KVM and threads.
class TestBench {
 public:
  TestBench(std::uint32_t max, std::uint32_t boot)
      : intents(IntentQueue::Create().value()),
        registers(ApicIds(max), line, *intents),
        guest(registers),
        controller(
            registers, *intents, [this](CpuId cpu) { return Make(cpu); }, listener) {
    Must(controller.CreateBootCpus(boot));
    Must(controller.StartAll());
  }

  void Settle() { controller.HandleIntents(); }

  /// The threads that were asked to end do.
  void EndThreads() {
    for (const auto& [cpu, vcpu] : vcpus) {
      if (vcpu->stop_requested()) {
        controller.HandleThreadEnded(cpu, {});
      }
    }
  }

  /// A guest that does all that it is asked for, until nothing is left to do.
  void Obey() {
    Settle();
    EndThreads();
    for (auto asked = guest.Scan(); !asked.empty(); asked = guest.Scan()) {
      for (const auto& [cpu, value] : asked) {
        Answer(cpu, value);
      }
      Settle();
      EndThreads();
    }
  }

  void Answer(CpuId cpu, std::uint32_t notification) {
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

  /// Plugs `cpu`, and the guest takes it.
  void Plug(CpuId cpu, std::string device_id = {}) {
    controller.Add(cpu, std::move(device_id)).value();
    Obey();
  }

  /// From now on the guest says which CPUs are online.
  void GuestArms() {
    guest_arms = true;
    controller.HandleOnline(0, true);
  }
  void Arm(CpuId cpu, bool armed) {
    if (guest_arms) {
      controller.HandleOnline(cpu, armed);
    }
  }

  /// So long after everything that has been asked for, all clocks say that it is too late.
  void LetTimePass() {
    controller.HandleDeadlines(Operation::Clock::now() + kLongestDeadline + kDefaultDeadline);
  }

  /// A removal that the guest has acknowledged and not answered.
  const Operation& AskedFor(CpuId cpu) {
    const Operation* const operation = controller.Remove(cpu).value();
    guest.Scan();
    Settle();
    return *operation;
  }

  /// An add that the guest has acknowledged and not answered.
  const Operation& Announced(CpuId cpu, std::string device_id = {}) {
    const Operation* const operation = controller.Add(cpu, std::move(device_id)).value();
    guest.Scan();
    Settle();
    return *operation;
  }

  void ResetGuest() {
    controller.BeginReset();
    EndThreads();
    controller.FinishReset().value();
    Must(controller.StartAll());
  }

  std::uint32_t pending_count() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(controller.operations(), &Operation::pending));
  }

  CpuSet present() const {
    CpuSet set;
    for (CpuId cpu = 0; cpu < registers.cpu_count(); ++cpu) {
      if (registers.flags(cpu).present) {
        set.Insert(cpu);
      }
    }
    return set;
  }

  CpuSet with_thread() const {
    CpuSet set;
    for (const auto& [cpu, vcpu] : vcpus) {
      if (vcpu->has_thread()) {
        set.Insert(cpu);
      }
    }
    return set;
  }

  LineLog line;
  std::unique_ptr<IntentQueue> intents;
  CpuRegisterBlock registers;
  ScriptedGuest guest;
  ListenerLog listener;
  std::map<CpuId, FakeVcpu*> vcpus;  // the controller's
  int made = 0;
  bool guest_arms = false;
  bool fail_make = false;
  bool fail_start = false;  // of vCPUs made from now on
  HotplugController controller;

 private:
  static std::vector<ApicId> ApicIds(std::uint32_t max) {
    std::vector<ApicId> ids(max);
    for (CpuId cpu = 0; cpu < max; ++cpu) {
      ids[cpu] = cpu;
    }
    return ids;
  }

  Result<std::unique_ptr<vcpu::Vcpu>> Make(CpuId cpu) {
    if (fail_make) {
      return Fail(ErrorCode::kLimitExceeded, "no more vCPUs");
    }
    ++made;
    auto vcpu = std::make_unique<FakeVcpu>(cpu);
    vcpu->fail_start = fail_start;
    vcpus[cpu] = vcpu.get();
    return vcpu;
  }
};

}  // namespace tidevm::hotplug
