// What happens while the guest runs: reports of vCPU threads, pause, reset, the end.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "vmm/machine/control_types.h"
#include "vmm/machine/machine.h"

namespace tidevm::machine {

using control::RunState;
using control::ShutdownCause;

void Machine::HandleGuestEvents() {
  for (const GuestEvent& event : guest_events_->Take()) {
    std::visit([this](const auto& specific) { Handle(specific); }, event);
  }
}

void Machine::Handle(const ThreadStarted& event) {
  controller_->HandleThreadStarted(event.cpu, event.when);
}

void Machine::Handle(const Booting& event) { controller_->HandleBooting(event.cpu, event.when); }

void Machine::Handle(const OnlineChanged& event) {
  const auto [online, when] = poster_->TakeOnline(event.cpu);
  controller_->HandleOnline(event.cpu, online, when);
}

void Machine::Handle(const ThreadHeld& /*event*/) { FinishStopIfHeld(); }

void Machine::Handle(const ThreadEnded& event) {
  const bool guest_can_go_on = controller_->HandleThreadEnded(event.cpu, event.end);
  const bool broken = event.end.kind == vcpu::ThreadEnd::Kind::kBroken;
  if (broken && guest_can_go_on) {
    spdlog::error("vCPU {}: {}; the guest does not rely on it, and goes on", event.cpu,
                  event.end.description);
  } else if (broken) {
    spdlog::error(
        "vCPU {}: {}; the guest cannot go on (tidevm --check-host says what this KVM can "
        "run)",
        event.cpu, event.end.description);
    End(1, RunState::kInternalError, ShutdownCause::kHostError, false);
    return;
  }
  if (event.end.kind == vcpu::ThreadEnd::Kind::kTripleFault && !resetting_) {
    spdlog::warn("vCPU {}: triple fault", event.cpu);
    ResetByGuest();
  }
  FinishResetIfStopped();
  FinishStopIfHeld();
}

void Machine::Handle(const PowerOff& /*event*/) {
  if (exit_status_) {
    return;
  }
  spdlog::info("the guest powered off");
  End(0, RunState::kShutdown, ShutdownCause::kGuestShutdown, true);
}

void Machine::Handle(const GuestReset& /*event*/) { ResetByGuest(); }

void Machine::ResetByGuest() {
  // A guest with panic=N resets itself. The end of a panic is not told by the reset alone, so the
  // console is asked.
  console_->CatchUp();
  if (const auto reason = console_->panic_reason()) {
    EndWithPanic(*reason);
    return;
  }
  BeginReset(true);
}

void Machine::Handle(const Panicked& /*event*/) {
  console_->CatchUp();
  EndWithPanic(
      console_->panic_reason().value_or("reported through pvpanic; the console says nothing"));
}

void Machine::Handle(const CrashLoaded& /*event*/) {
  if (!std::exchange(crash_kernel_noted_, true)) {
    spdlog::warn("the guest's kernel panicked and starts its crash kernel");
  }
}

void Machine::EndWithPanic(const std::string& reason) {
  if (exit_status_) {
    return;
  }
  spdlog::error("the guest's kernel panicked: {}", reason);
  Publish(control::event::GuestPanicked{.action = "poweroff"});
  End(1, RunState::kGuestPanicked, ShutdownCause::kGuestPanic, true);
}

void Machine::Stop(std::function<void()> done) {
  stop_waiters_.push_back(std::move(done));
  gate_.Close();
  controller_->PauseDeadlines();
  ArmDeadlineTimer();
  controller_->KickAll();
  FinishStopIfHeld();
}

void Machine::FinishStopIfHeld() {
  if (stop_waiters_.empty() || controller_->held_count() != controller_->thread_count()) {
    return;
  }
  if (run_state_ == RunState::kRunning) {
    run_state_ = RunState::kPaused;
    Publish(control::event::Stop{});
  }
  for (const auto& done : std::exchange(stop_waiters_, {})) {
    done();
  }
}

Result<void> Machine::Continue() {
  if (gate_.open()) {
    return {};
  }
  gate_.Open();
  controller_->ResumeDeadlines();
  ArmDeadlineTimer();
  // A stop that is still under way was overtaken; whoever asked for it is not left waiting.
  for (const auto& done : std::exchange(stop_waiters_, {})) {
    done();
  }
  if (run_state_ == RunState::kPaused || run_state_ == RunState::kPrelaunch) {
    run_state_ = RunState::kRunning;
    Publish(control::event::Resume{});
    console_->WatchForPanic();
  }
  return {};
}

Result<void> Machine::Powerdown() {
  power_->PressPowerButton();
  Publish(control::event::Powerdown{});
  return {};
}

Result<void> Machine::Reset() {
  BeginReset(false);
  restart_delay_ = {};  // whoever asks for it from outside does not wait
  FinishResetIfStopped();
  return {};
}

void Machine::Quit() { End(0, RunState::kShutdown, ShutdownCause::kHostQmpQuit, false); }

void Machine::BeginReset(bool by_guest) {
  if (std::exchange(resetting_, true) || exit_status_) {
    return;
  }
  spdlog::info("reset, asked for by the {}", by_guest ? "guest" : "host");
  restart_delay_ = {};
  if (const auto now = RateLimit::Clock::now(); by_guest && !guest_resets_.Take(now)) {
    restart_delay_ = guest_resets_.Next(now) - now;
  }
  Publish(control::event::Reset{
      .guest = by_guest,
      .reason = by_guest ? ShutdownCause::kGuestReset : ShutdownCause::kHostQmpSystemReset});
  controller_->BeginReset();
}

void Machine::FinishResetIfStopped() {
  if (!resetting_ || !controller_->all_stopped() || exit_status_) {
    return;
  }
  if (restart_delay_.count() > 0) {
    RestartLater();
    return;
  }
  loop_->Cancel(std::exchange(restart_timer_, 0));
  resetting_ = false;
  if (auto restarted = RestartGuest(); !restarted) {
    spdlog::error("restarting the guest: {}", restarted.error().message);
    End(1, RunState::kInternalError, ShutdownCause::kHostError, false);
  }
}

void Machine::RestartLater() {
  if (restart_timer_ != 0) {
    return;
  }
  restart_timer_ = loop_->After(restart_delay_, [this] {
    restart_timer_ = 0;
    restart_delay_ = {};
    guest_resets_.Take(RateLimit::Clock::now());
    FinishResetIfStopped();
  });
}

Result<void> Machine::RestartGuest() {
  console_->CatchUp();
  console_->Reset();
  power_->Reset();
  crash_kernel_noted_ = false;
  if (auto cleared = memory_->Clear(); !cleared) {
    return cleared;
  }
  // The chip before the hotplug registers, which may assert their line in it for the new guest.
  if (auto set = vm_->SetIrqChip(pristine_irq_chip_); !set) {
    return set;
  }
  const auto present = controller_->FinishReset();
  if (!present) {
    return tl::make_unexpected(present.error());
  }
  if (auto loaded = LoadGuest(*present); !loaded) {
    return loaded;
  }
  if (power_button_pressed_by_signal_) {  // who asked meant the machine, not this boot of it
    power_->PressPowerButton();
  }
  return controller_->StartAll();
}

void Machine::ArmDeadlineTimer() {
  const auto next = controller_->next_deadline();
  if (next == armed_deadline_) {
    return;
  }
  loop_->Cancel(deadline_timer_);
  armed_deadline_ = next;
  if (!next) {
    return;
  }
  using hotplug::HotplugController;
  const auto now = HotplugController::Clock::now();
  // Rounded up: a timer that comes early would find nothing overdue.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(*next, now) - now);
  deadline_timer_ = loop_->After(wait, [this] {
    armed_deadline_ = std::nullopt;
    controller_->HandleDeadlines(HotplugController::Clock::now());
    ArmDeadlineTimer();
  });
}

namespace {

spdlog::level::level_enum LevelOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kFailed:
      return spdlog::level::err;
    case Outcome::kRefused:
    case Outcome::kTimedOut:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

void Machine::OnOperation(const hotplug::Operation& operation) {
  ArmDeadlineTimer();
  if (!operation.pending()) {
    spdlog::log(LevelOf(operation.outcome), "vCPU {}: {} {}{}{}", operation.cpu,
                ToString(operation.kind), ToString(operation.outcome),
                operation.reason.empty() ? "" : ": ", operation.reason);
  }
  Publish(ToEvent(operation));
}

void Machine::OnVcpuState(CpuId cpu, vcpu::VcpuState state, std::optional<bool> online) {
  Publish(control::event::VcpuState{.cpu = cpu, .state = ToString(state), .online = online});
}

void Machine::OnOst(CpuId cpu, const std::string& device_id, OstReport report) {
  Publish(control::event::AcpiDeviceOst{.device_id = device_id, .cpu = cpu, .report = report});
}

void Machine::OnUnplugged(CpuId cpu, const std::string& device_id) {
  Publish(control::event::DeviceDeleted{
      .device_id = device_id, .cpu = cpu, .boot_cpu = cpu < options_.cpus.boot});
}

void Machine::OnUnplugRefused(CpuId cpu, const std::string& device_id) {
  Publish(control::event::DeviceUnplugGuestError{
      .device_id = device_id, .cpu = cpu, .boot_cpu = cpu < options_.cpus.boot});
}

}  // namespace tidevm::machine
