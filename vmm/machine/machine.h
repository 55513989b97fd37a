// A virtual machine, from its first file to its exit code.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tidevm/mailbox.h"
#include "tidevm/rate_limit.h"
#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/boot/guest_memory.h"
#include "vmm/control/event_loop.h"
#include "vmm/control/event_throttle.h"
#include "vmm/control/machine_control.h"
#include "vmm/control/qmp_server.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/power_device.h"
#include "vmm/devices/pvpanic_device.h"
#include "vmm/hotplug/cpu_register_block.h"
#include "vmm/hotplug/hotplug_controller.h"
#include "vmm/kvm/system.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/guest_event.h"
#include "vmm/machine/irq_line.h"
#include "vmm/machine/options.h"
#include "vmm/machine/serial_console.h"
#include "vmm/machine/signal_source.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/vcpu/kvm_vcpu.h"
#include "vmm/vcpu/run_gate.h"
#include "vmm/vcpu/topology.h"

namespace tidevm::machine {

/// Owns everything; one per process. All of it belongs to the thread that calls Run(), the machine
/// thread; vCPU threads reach it only through the buses and the mailboxes.
class Machine final : public control::MachineControl, public hotplug::HotplugListener {
 public:
  /// The story of a start: every step until the vCPUs could run. Nothing is left behind where one
  /// fails.
  static Result<std::unique_ptr<Machine>> Build(const MachineOptions& options);
  ~Machine() override;

  /// Runs the guest until it ends; the answer is the process's exit status.
  Result<int> Run();

  // control::MachineControl
  control::MachineInfo info() const override;
  control::RunState run_state() const override { return run_state_; }
  std::vector<control::VcpuStatus> vcpus() const override;
  std::vector<control::OperationStatus> operations() const override;
  Result<control::OperationStatus> AddVcpu(CpuId cpu, std::string device_id,
                                           Deadline deadline) override;
  Result<control::OperationStatus> RemoveVcpu(CpuId cpu, Deadline deadline) override;
  Result<control::SetVcpusResult> SetVcpus(const CpuSet& wanted, Deadline deadline) override;
  Result<control::OperationStatus> CancelOperation(std::uint64_t id) override;
  Result<void> SetAffinity(CpuId cpu, const CpuSet& host_cpus) override;
  control::Metrics metrics() const override;
  Result<CpuSet> CpuSetForCount(std::uint32_t count) const override;
  void Stop(std::function<void()> done) override;
  Result<void> Continue() override;
  Result<void> Powerdown() override;
  Result<void> Reset() override;
  void Quit() override;

 private:
  explicit Machine(MachineOptions options) : options_(std::move(options)) {}

  // Build(), in this order.
  Result<void> ClaimDescriptors();
  Result<void> OpenKvm();
  Result<void> OpenImages();
  Result<void> CreateMemory();
  Result<void> CreateDevices();
  Result<void> CreateHotplug();
  Result<void> LoadGuest(const CpuSet& present);
  Result<void> OpenControl();
  Result<void> PrepareSandbox();
  Result<void> OpenConsole();
  Result<void> WireEvents();

  Result<void> Confine();

  Result<std::unique_ptr<vcpu::Vcpu>> MakeVcpu(CpuId cpu);

  // What vCPU threads report.
  void HandleGuestEvents();
  void Handle(const ThreadStarted& event);
  void Handle(const Booting& event);
  void Handle(const OnlineChanged& event);
  void Handle(const ThreadHeld& event);
  void Handle(const ThreadEnded& event);
  void Handle(const PowerOff& event);
  void Handle(const GuestReset& event);
  void Handle(const Panicked& event);
  void Handle(const CrashLoaded& event);
  void HandleSignal(int signal);

  void EndWithPanic(const std::string& reason);
  void ResetByGuest();
  void BeginReset(bool by_guest);
  void FinishResetIfStopped();
  void RestartLater();
  Result<void> RestartGuest();
  void FinishStopIfHeld();
  void ArmDeadlineTimer();
  void End(int status, control::RunState state, control::ShutdownCause cause, bool by_guest);
  void Publish(const control::Event& event);

  // hotplug::HotplugListener
  void OnOperation(const hotplug::Operation& operation) override;
  void OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) override;
  void OnOst(CpuId cpu, const std::string& device_id, OstReport report) override;
  void OnUnplugged(CpuId cpu, const std::string& device_id) override;
  void OnUnplugRefused(CpuId cpu, const std::string& device_id) override;

  const MachineOptions options_;
  control::RunState run_state_ = control::RunState::kPrelaunch;
  std::optional<int> exit_status_;
  bool resetting_ = false;
  // A guest that resets itself without end is given new lives at this pace.
  RateLimit guest_resets_{8, std::chrono::seconds(1)};
  std::chrono::nanoseconds restart_delay_{};
  control::EventLoop::TimerId restart_timer_ = 0;  // 0: not armed
  bool power_button_pressed_by_signal_ = false;
  bool crash_kernel_noted_ = false;
  std::vector<std::function<void()>> stop_waiters_;
  // The timer for the earliest deadline; nothing ticks while nothing is pending.
  std::optional<hotplug::HotplugController::Clock::time_point> armed_deadline_;
  control::EventLoop::TimerId deadline_timer_ = 0;

  // From here on in the order of creation: what is below is destroyed first. The vCPU threads end
  // with controller_, before anything that they use.
  std::optional<sandbox::Sandbox> sandbox_;
  std::optional<control::EventLoop> loop_;
  std::optional<SignalSource> signals_;
  std::optional<kvm::System> kvm_;
  std::optional<boot::GuestMemory> memory_;  // mapped for as long as the VM knows it
  std::optional<kvm::Vm> vm_;
  std::optional<vcpu::Topology> topology_;
  std::vector<kvm_cpuid_entry2> supported_cpuid_;
  std::vector<std::uint32_t> pristine_msrs_;
  kvm::IrqChipState pristine_irq_chip_;
  UniqueFd kernel_;
  UniqueFd initrd_;
  UniqueFd passed_control_;  // until the server has it
  UniqueFd passed_serial_;   // the console has a copy
  std::unique_ptr<Mailbox<GuestEvent>> guest_events_;
  std::unique_ptr<GuestEventPoster> poster_;
  std::unique_ptr<hotplug::IntentQueue> intents_;
  std::unique_ptr<IrqLine> uart_line_;
  std::unique_ptr<IrqLine> power_button_line_;
  std::unique_ptr<IrqLine> hotplug_line_;
  std::unique_ptr<SerialConsole> console_;
  std::unique_ptr<devices::PowerDevice> power_;
  std::unique_ptr<devices::PvpanicDevice> pvpanic_;
  std::unique_ptr<hotplug::CpuRegisterBlock> registers_;
  devices::Bus ports_;
  devices::Bus mmio_;
  vcpu::RunGate gate_{true};
  std::unique_ptr<hotplug::HotplugController> controller_;
  std::unique_ptr<control::QmpServer> server_;
  std::optional<control::EventThrottle> throttle_;  // in front of server_, while that is there
};

}  // namespace tidevm::machine
