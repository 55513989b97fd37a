#include "vmm/machine/machine.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <csignal>
#include <tuple>
#include <utility>

#include "firmware/reset_vector.h"
#include "tidevm/cpu_hotplug_registers.h"
#include "tidevm/guest_layout.h"
#include "vmm/boot/linux_loader.h"
#include "vmm/kvm/limits.h"
#include "vmm/machine/control_types.h"
#include "vmm/machine/guest_acpi.h"
#include "vmm/vcpu/cpuid.h"

namespace tidevm::machine {
namespace {

constexpr int kExitForced = 128 + SIGTERM;

Result<UniqueFd> OpenImage(std::string_view option, const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return FailErrno(errno, "{} {}: cannot open; give the path of a file that this user can read",
                     option, path);
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::Build(const MachineOptions& options) {
  std::unique_ptr<Machine> machine(new Machine(options));
  const auto build = [&]() -> Result<void> {
    return machine->ClaimDescriptors()
        .and_then([&] { return machine->OpenKvm(); })
        .and_then([&] { return machine->OpenImages(); })
        .and_then([&] { return machine->CreateMemory(); })
        .and_then([&] { return machine->CreateDevices(); })
        .and_then([&] { return machine->CreateHotplug(); })
        .and_then([&] { return machine->LoadGuest(CpuSet::FirstN(options.cpus.boot)); })
        .and_then([&] { return machine->OpenControl(); })
        .and_then([&] { return machine->PrepareSandbox(); })
        .and_then([&] { return machine->OpenConsole(); })
        .and_then([&] { return machine->WireEvents(); });
  };
  if (auto built = build(); !built) {
    return tl::make_unexpected(std::move(built.error()));
  }
  return machine;
}

// The server first: it says good-bye to its clients while the machine that it asks still stands.
Machine::~Machine() { server_.reset(); }

/// KVM, its limits against --cpus, and what every vCPU is made from.
Result<void> Machine::OpenKvm() {
  const CpuOptions& cpus = options_.cpus;
  auto topology = vcpu::Topology::Create(cpus.max, cpus.topology);
  if (!topology) {
    return tl::make_unexpected(std::move(topology.error()));
  }
  topology_ = *topology;
  auto kvm = kvm::System::Open(options_.kvm_path);
  if (!kvm) {
    return tl::make_unexpected(std::move(kvm.error()));
  }
  kvm_ = std::move(*kvm);
  auto vm = kvm_->CreateVm();
  if (!vm) {
    return tl::make_unexpected(std::move(vm.error()));
  }
  vm_ = std::move(*vm);
  const auto warning =
      kvm::CheckCpuLimits(cpus.max, topology_->ApicIdOf(cpus.max - 1), vm_->cpu_limits());
  if (!warning) {
    return tl::make_unexpected(warning.error());
  }
  if (*warning) {
    spdlog::warn("{}", **warning);
  }
  auto cpuid = kvm_->SupportedCpuid();
  if (!cpuid) {
    return tl::make_unexpected(std::move(cpuid.error()));
  }
  supported_cpuid_ = std::move(*cpuid);
  const auto msrs = kvm_->MsrIndexList();
  if (!msrs) {
    return tl::make_unexpected(msrs.error());
  }
  pristine_msrs_ = vcpu::PristineMsrs(*msrs);
  // Without them a guest's CPUs are "registered", and whether they are online stays unknown.
  if (auto trapped = vm_->TrapMsrWrites(vcpu::kFirstParavirtMsr, vcpu::kParavirtMsrCount);
      !trapped) {
    if (trapped.error().code != ErrorCode::kUnsupported) {
      return trapped;
    }
    spdlog::warn("this KVM lacks {} (Linux 5.10 has them): whether a vCPU is online stays unknown",
                 trapped.error().message);
  }
  return vm_->GetIrqChip().map(
      [this](const kvm::IrqChipState& state) { pristine_irq_chip_ = state; });
}

Result<void> Machine::OpenImages() {
  for (const auto& [option, path, into] : {std::tuple{"--kernel", &options_.kernel, &kernel_},
                                           {"--initrd", &options_.initrd, &initrd_}}) {
    if (into->valid() || path->empty()) {  // passed; none
      continue;
    }
    auto opened = OpenImage(option, *path);
    if (!opened) {
      return tl::make_unexpected(std::move(opened.error()));
    }
    *into = std::move(*opened);
  }
  return {};
}

Result<void> Machine::CreateMemory() {
  auto memory = boot::GuestMemory::Create(options_.memory_bytes);
  if (!memory) {
    return tl::make_unexpected(std::move(memory.error()));
  }
  memory_ = std::move(*memory);
  std::uint32_t slot = 0;
  for (const boot::GuestMemory::Region& region : memory_->regions()) {
    if (auto set = vm_->SetMemory(slot++, region.base, region.host); !set) {
      return set;
    }
  }
  return {};
}

Result<void> Machine::CreateDevices() {
  auto loop = control::EventLoop::Create();
  if (!loop) {
    return tl::make_unexpected(std::move(loop.error()));
  }
  loop_ = std::move(*loop);
  auto signals = SignalSource::Create();
  if (!signals) {
    return tl::make_unexpected(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
  auto events = Mailbox<GuestEvent>::Create();
  if (!events) {
    return tl::make_unexpected(std::move(events.error()));
  }
  guest_events_ = std::move(*events);
  poster_ = std::make_unique<GuestEventPoster>(*guest_events_, topology_->max());
  power_button_line_ = std::make_unique<IrqLine>(*vm_, layout::kPowerButtonGsi);
  power_ = std::make_unique<devices::PowerDevice>(*poster_, *power_button_line_);
  pvpanic_ = std::make_unique<devices::PvpanicDevice>(*poster_);
  return ports_.Add(layout::kPowerPort, layout::kPowerPorts, *power_).and_then([this] {
    return ports_.Add(layout::kPvpanicPort, 1, *pvpanic_);
  });
}

Result<void> Machine::CreateHotplug() {
  auto intents = hotplug::IntentQueue::Create();
  if (!intents) {
    return tl::make_unexpected(std::move(intents.error()));
  }
  intents_ = std::move(*intents);
  hotplug_line_ = std::make_unique<IrqLine>(*vm_, layout::kCpuHotplugGsi);
  registers_ = std::make_unique<hotplug::CpuRegisterBlock>(topology_->AllApicIds(), *hotplug_line_,
                                                           *intents_);
  controller_ = std::make_unique<hotplug::HotplugController>(
      *registers_, *intents_, [this](CpuId cpu) { return MakeVcpu(cpu); }, *this);
  return ports_.Add(cpu_hotplug::kBasePort, cpu_hotplug::kBlockSize, *registers_).and_then([this] {
    return controller_->CreateBootCpus(options_.cpus.boot);
  });
}

Result<std::unique_ptr<vcpu::Vcpu>> Machine::MakeVcpu(CpuId cpu) {
  const bool deadline_timer = kvm_->CheckExtension(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
  const vcpu::VcpuSetup setup{
      .cpu = cpu,
      .apic_id = topology_->ApicIdOf(cpu),
      .cpuid = vcpu::BuildCpuid(supported_cpuid_, *topology_, cpu, deadline_timer),
      .msrs = pristine_msrs_};
  return vcpu::KvmVcpu::Create(*vm_, setup,
                               {.ports = ports_,
                                .memory = mmio_,
                                .gate = gate_,
                                .observer = *poster_,
                                .confine =
                                    [this](std::string_view thread) {
                                      return sandbox_->Enter(sandbox::ThreadKind::kVcpu, thread);
                                    }})
      .map([](std::unique_ptr<vcpu::KvmVcpu> vcpu) {
        return std::unique_ptr<vcpu::Vcpu>(std::move(vcpu));
      });
}

/// ACPI tables, kernel, initrd and boot parameters, and the first vCPU's entry.
Result<void> Machine::LoadGuest(const CpuSet& present) {
  const auto acpi = BuildGuestAcpi(*topology_, present);
  if (!acpi) {
    return tl::make_unexpected(acpi.error());
  }
  if (auto written = memory_->Write(acpi->base, acpi->bytes); !written) {
    return written;
  }
  if (auto written = memory_->Write(layout::kResetVector,
                                    std::as_bytes(std::span(firmware::kResetVectorCode)));
      !written) {
    return written;
  }
  const auto loaded = boot::LoadLinux(*memory_, {.kernel_fd = kernel_.get(),
                                                 .kernel_name = options_.kernel,
                                                 .initrd_fd = initrd_.get(),
                                                 .initrd_name = options_.initrd,
                                                 .command_line = options_.command_line,
                                                 .acpi_rsdp = acpi->rsdp});
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  spdlog::info("{}: {}", options_.kernel, loaded->image_format);
  if (!loaded->note.empty()) {
    spdlog::warn("{}: {}", options_.kernel, loaded->note);
  }
  const boot::BootEntry& entry = loaded->entry;
  return controller_->SetBootEntry({.rip = entry.rip,
                                    .rsi = entry.boot_params,
                                    .cr3 = entry.page_table_root,
                                    .gdt_base = entry.gdt_base,
                                    .gdt_limit = entry.gdt_limit,
                                    .code_selector = entry.code_selector,
                                    .data_selector = entry.data_selector});
}

Result<void> Machine::WireEvents() {
  const auto on_readable = [this](int fd, auto handler) {
    return loop_->Add(fd, EPOLLIN, [handler](std::uint32_t /*events*/) { handler(); });
  };
  return on_readable(guest_events_->event_fd(), [this] { HandleGuestEvents(); })
      .and_then([&] {
        return on_readable(intents_->event_fd(), [this] {
          // What a thread said before, to the other mailbox, is heard before: "online" may have to
          // be known when "registered" comes.
          HandleGuestEvents();
          controller_->HandleIntents();
        });
      })
      .and_then(
          [&] { return on_readable(signals_->fd(), [this] { HandleSignal(signals_->Take()); }); });
}

Result<void> Machine::OpenControl() {
  if (options_.control.empty()) {
    return {};
  }
  control::ServerOptions server_options;
  if (passed_control_.valid()) {
    server_options.listen_fd = std::move(passed_control_);
  } else {
    server_options.path = options_.control;
  }
  return control::QmpServer::Create(*loop_, *this, std::move(server_options))
      .map([this](std::unique_ptr<control::QmpServer> server) {
        server_ = std::move(server);
        throttle_.emplace(*loop_, [this](const control::Event& event, auto when) {
          server_->Publish(event, when);
        });
      });
}

/// The last step that touches anything of the user's: the serial file is not truncated, and the
/// terminal not made raw, by a start that fails.
Result<void> Machine::OpenConsole() {
  uart_line_ = std::make_unique<IrqLine>(*vm_, layout::kUartGsi);
  auto console = SerialConsole::Create(
      options_.serial, *uart_line_, *loop_,
      {.end_requested =
           [this] { End(0, control::RunState::kShutdown, control::ShutdownCause::kHostUi, false); },
       .panic_ended =
           [this](const std::string& reason) {
             if (gate_.open()) {  // a paused guest is silent for another reason
               EndWithPanic(reason);
             }
           }});
  if (!console) {
    return tl::make_unexpected(std::move(console.error()));
  }
  console_ = std::move(*console);
  return ports_.Add(layout::kUartPort, layout::kUartPorts, console_->port());
}

Result<int> Machine::Run() {
  if (options_.paused) {
    gate_.Close();
    controller_->PauseDeadlines();
  } else {
    run_state_ = control::RunState::kRunning;
  }
  spdlog::info("{}: {} of {} vCPUs, {} MiB{}", options_.name, options_.cpus.boot, options_.cpus.max,
               memory_->size() >> 20, options_.paused ? ", paused" : "");
  if (auto confined = Confine(); !confined) {
    return tl::make_unexpected(std::move(confined.error()));
  }
  if (auto started = controller_->StartAll(); !started) {
    return tl::make_unexpected(std::move(started.error()));
  }
  if (auto ran = loop_->Run(); !ran) {
    return tl::make_unexpected(std::move(ran.error()));
  }
  // The threads first, so that nothing is written behind the last flush.
  server_.reset();
  controller_.reset();
  console_->Flush();
  return exit_status_.value_or(1);
}

void Machine::End(int status, control::RunState state, control::ShutdownCause cause,
                  bool by_guest) {
  if (exit_status_) {
    return;
  }
  exit_status_ = status;
  run_state_ = state;
  Publish(control::event::Shutdown{.guest = by_guest, .reason = cause});
  loop_->Quit();
}

void Machine::HandleSignal(int signal) {
  if (signal == 0) {
    return;
  }
  if (std::exchange(power_button_pressed_by_signal_, true)) {
    spdlog::warn("signal {}: the second one; ending the VM at once", signal);
    End(kExitForced, control::RunState::kShutdown, control::ShutdownCause::kHostSignal, false);
    return;
  }
  spdlog::info("signal {}: asking the guest to power off; the next one ends the VM at once",
               signal);
  static_cast<void>(Powerdown());
}

void Machine::Publish(const control::Event& event) {
  if (server_ != nullptr) {
    throttle_->Publish(event);
  }
}

}  // namespace tidevm::machine
