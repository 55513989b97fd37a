// What the hotplug tests share: a machine whose vCPUs have no threads, and a guest that drives the
// registers as the AML does.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tidevm/cpu_hotplug_registers.h"
#include "vmm/hotplug/hotplug_controller.h"

namespace tidevm::hotplug {

/// Remembers every call, so that a level that is set twice shows.
class LineLog final : public devices::InterruptLine {
 public:
  void Set(bool asserted) override {
    if (!broken) {
      levels_.push_back(asserted);
    }
  }
  std::optional<std::string> fault() const override {
    return broken ? std::optional<std::string>("no line") : std::nullopt;
  }
  std::optional<bool> has_handler() const override { return handler; }
  bool high() const { return !levels_.empty() && levels_.back(); }
  const std::vector<bool>& levels() const { return levels_; }
  void Forget() { levels_.clear(); }

  std::optional<bool> handler;
  bool broken = false;

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
  std::vector<Notification> Scan();

  /// _OST
  void Ost(CpuId cpu, std::uint32_t event, std::uint32_t status);

  /// _EJ0
  void Eject(CpuId cpu);  // _EJ0, and the look at _STA that follows
  void EjectOnly(CpuId cpu);

  /// _STA
  bool IsPresent(CpuId cpu);

 private:
  CpuRegisterBlock& registers_;
};

/// Has a "thread" from its start to its join; the test says when that thread ends.
class FakeVcpu final : public vcpu::Vcpu {
 public:
  explicit FakeVcpu(CpuId cpu) : Vcpu(cpu, cpu) {}

  std::optional<pid_t> thread_id() const override;
  std::chrono::nanoseconds cpu_time() const override { return {}; }
  std::chrono::nanoseconds total_cpu_time() const override { return {}; }
  std::optional<CpuSet> affinity() const override;
  std::vector<std::uint64_t> exit_counts() const override;
  Result<void> SetAffinity(const CpuSet& host_cpus) override;
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
  Result<void> DoSetEntry(const vcpu::LongModeEntry& /*entry*/) override;
  Result<void> DoStart() override;
  void DoRequestStop() override { stop_requested_ = true; }
  void DoJoin() override;
  Result<void> DoRevive() override;

  bool thread_ = false;
  bool stop_requested_ = false;
};

/// Remembers what the machine was told.
class ListenerLog final : public HotplugListener {
 public:
  using Named = std::pair<CpuId, std::string>;

  void OnOperation(const Operation& /*operation*/) override { ++operation_changes; }
  void OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) override;
  void OnOst(CpuId cpu, const std::string& device_id, OstReport /*report*/) override;
  void OnUnplugged(CpuId cpu, const std::string& device_id) override;
  void OnUnplugRefused(CpuId cpu, const std::string& device_id) override;

  int operation_changes = 0;
  std::map<CpuId, std::vector<vcpu::VcpuState>> states;
  std::map<CpuId, std::vector<std::optional<bool>>> onlines;
  std::vector<Named> osts;
  std::vector<Named> unplugged;
  std::vector<Named> refused;
};

std::vector<Phase> PhasesOf(const Operation& operation);

/// What value() is for results that have one.
void Must(const Result<void>& result);

/// A machine with everything but KVM and threads.
class TestBench {
 public:
  TestBench(std::uint32_t max, std::uint32_t boot);
  ~TestBench();

  void Settle() { controller.HandleIntents(); }

  /// The threads that were asked to end do.
  void EndThreads();

  /// A guest that does all that it is asked for, until nothing is left to do.
  void Obey();

  void Answer(CpuId cpu, std::uint32_t notification);

  /// Plugs `cpu`, and the guest takes it.
  void Plug(CpuId cpu, std::string device_id = {});

  /// From now on the guest says which CPUs are online.
  void GuestArms();
  void Arm(CpuId cpu, bool armed);

  /// So long after everything that has been asked for, all clocks say that it is too late.
  void LetTimePass();

  /// A removal that the guest has acknowledged and not answered.
  const Operation& AskedFor(CpuId cpu);

  /// An add that the guest has acknowledged and not answered.
  const Operation& Announced(CpuId cpu, std::string device_id = {});

  void ResetGuest();

  std::uint32_t pending_count() const;
  CpuSet present() const;
  CpuSet with_thread() const;

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
  Result<std::unique_ptr<vcpu::Vcpu>> Make(CpuId cpu);
};

}  // namespace tidevm::hotplug
