#include "vmm/machine/host_check.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vmm/kvm/system.h"
#include "vmm/machine/probe_guest.h"

namespace tidevm::machine {
namespace {

/// A test whose result is yes or no.
struct Probe {
  ProbeTest test;
  const char* name;
  const char* meaning;
  /// What the guest does next after each STAGE of probe_guest.S.
  std::array<const char*, 6> stages;
};

constexpr std::array kProbes = {
    Probe{ProbeTest::kBasic,
          "64-bit mode and I/O exits",
          "any guest needs it",
          {"64-bit arithmetic", "IN from a port"}},
    Probe{ProbeTest::kUserMode,
          "user mode",
          "programs run there",
          {"IRETQ to CPL 3 and an exception there", "reading CR0 in the handler"}},
    Probe{ProbeTest::kSystemCall,
          "SYSCALL and SYSRET",
          "every system call of a 64-bit program",
          {"enabling SYSCALL", "IRETQ to CPL 3 and SYSCALL there",
           "reading CR0 in the SYSCALL handler", "SYSRET and SYSCALL for the second time"}},
    Probe{ProbeTest::kUserInterrupt,
          "INT n from user mode",
          "system calls of 32-bit programs",
          {"IRETQ to CPL 3 and INT 0x80 there", "IRETQ back to CPL 3 and INT 0x80 again"}},
    Probe{ProbeTest::kUserPageFault,
          "page fault from user mode",
          "every new page of a program starts with one",
          {"IRETQ to CPL 3 and reading an unmapped page there", "reading CR2"}},
    Probe{ProbeTest::kCmpxchg16b,
          "CMPXCHG16B",
          "the kernel's memory allocator",
          {"CPUID", "LOCK CMPXCHG16B"}},
    Probe{ProbeTest::kPopcnt, "POPCNT", "counting bits in CPU masks", {"CPUID", "POPCNT"}},
    Probe{ProbeTest::kInt3,
          "INT3",
          "the kernel patches its own code behind it",
          {"setting up", "INT3", "IRETQ from the #BP handler", "reporting"}},
    Probe{ProbeTest::kLdmxcsr, "LDMXCSR", "floating point set-up", {"CR4.OSFXSR", "LDMXCSR"}},
    Probe{ProbeTest::kXsave,
          "XSAVE and XRSTOR",
          "floating point state of each program",
          {"CPUID", "CR4.OSXSAVE", "XSETBV", "XSAVE", "XRSTOR"}},
    Probe{ProbeTest::kSmap,
          "STAC and CLAC",
          "each copy between kernel and program",
          {"CPUID", "CR4.SMAP", "STAC and reading a user page", "CLAC",
           "reading a user page that SMAP protects"}},
    Probe{ProbeTest::kFwait, "FWAIT", "floating point set-up", {"FNINIT", "FWAIT"}},
    Probe{ProbeTest::kSecondProcessor,
          "second processor",
          "all vCPUs but the first start by INIT and SIPI",
          {"INIT through the local APIC", "SIPI through the local APIC",
           "waiting for the second processor"}},
};

HostFinding Try(const kvm::System& system, std::span<const kvm_cpuid_entry2> cpuid,
                const Probe& probe) {
  HostFinding finding{.name = probe.name, .ok = false, .detail = {}, .meaning = probe.meaning};
  const auto outcome = RunProbe(system, cpuid, probe.test);
  if (!outcome) {
    finding.detail = outcome.error().message;
    return finding;
  }
  finding.ok = outcome->end != ProbeEnd::kFailed;
  if (outcome->end == ProbeEnd::kNotOffered) {
    finding.detail = "not offered to guests, so they will not use it";
  } else if (!finding.ok) {
    const char* const stage =
        outcome->stage < probe.stages.size() ? probe.stages.at(outcome->stage) : nullptr;
    finding.detail = fmt::format("{}: {}", stage != nullptr ? stage : "?", outcome->reason);
  }
  return finding;
}

void MeasureSpeed(const kvm::System& system, std::span<const kvm_cpuid_entry2> cpuid,
                  HostReport& report) {
  HostFinding finding{.name = "speed of kernel code",
                      .ok = false,
                      .detail = {},
                      .meaning = "on the processor, or interpreted"};
  const auto outcome = RunProbe(system, cpuid, ProbeTest::kSpeed);
  if (!outcome) {
    finding.detail = outcome.error().message;
  } else if (outcome->end != ProbeEnd::kPassed || outcome->cpu_time.count() <= 0) {
    finding.detail = outcome->reason;
  } else {
    constexpr double kInstructionsPerRound = 2;
    const double seconds = std::chrono::duration<double>(outcome->cpu_time).count();
    report.instructions_per_second =
        kInstructionsPerRound * static_cast<double>(outcome->work) / seconds;
    report.host_instructions_per_second = MeasureHostSpeed();
    finding.ok =
        RunsOnProcessor(report.instructions_per_second, report.host_instructions_per_second);
    finding.detail = fmt::format("{:.1f} million instructions a second; {:.1f} outside a guest",
                                 report.instructions_per_second / 1e6,
                                 report.host_instructions_per_second / 1e6);
  }
  report.findings.push_back(std::move(finding));
}

void MeasureIoExit(const kvm::System& system, std::span<const kvm_cpuid_entry2> cpuid,
                   HostReport& report) {
  HostFinding finding{.name = "cost of an I/O exit",
                      .ok = false,
                      .detail = {},
                      .meaning = "what each access to a device takes at least"};
  const auto outcome = RunProbe(system, cpuid, ProbeTest::kIoCost);
  if (!outcome) {
    finding.detail = outcome.error().message;
  } else if (outcome->end != ProbeEnd::kPassed || outcome->work == 0) {
    finding.detail = outcome->reason;
  } else {
    report.io_exit_ns =
        static_cast<double>(outcome->cpu_time.count()) / static_cast<double>(outcome->work);
    finding.ok = true;
    finding.detail = fmt::format("{:.1f} µs", report.io_exit_ns / 1e3);
  }
  report.findings.push_back(std::move(finding));
}

/// Opens KVM, makes one VM, runs the probes; a failure of the first two is the whole answer.
Result<void> Examine(const std::string& kvm_path, HostReport& report) {
  const auto system = kvm::System::Open(kvm_path);
  if (!system) {
    return tl::make_unexpected(system.error());
  }
  const auto vm = system->CreateVm();
  if (!vm) {
    return Chain(vm.error(), kvm_path);
  }
  const auto cpuid = system->SupportedCpuid();
  if (!cpuid) {
    return Chain(cpuid.error(), kvm_path);
  }
  report.limits = vm->cpu_limits();
  report.findings.push_back(
      {.name = std::string(kDeviceFinding),
       .ok = true,
       .detail = fmt::format("{}; {} vCPUs recommended, {} at most, ids below {}", kvm_path,
                             report.limits.recommended, report.limits.max, report.limits.max_id),
       .meaning = "KVM opens and makes virtual machines"});
  for (const Probe& probe : kProbes) {
    report.findings.push_back(Try(*system, *cpuid, probe));
  }
  MeasureSpeed(*system, *cpuid, report);
  MeasureIoExit(*system, *cpuid, report);
  return {};
}

}  // namespace

HostKind Classify(std::span<const HostFinding> findings) {
  const auto device = std::ranges::find(findings, kDeviceFinding, &HostFinding::name);
  if (device == findings.end() || !device->ok) {
    return HostKind::kNone;
  }
  return std::ranges::all_of(findings, &HostFinding::ok) ? HostKind::kFit : HostKind::kInterpreting;
}

bool RunsOnProcessor(double guest_instructions_per_second, double host_instructions_per_second) {
  constexpr double kLeastRatio = 0.05;
  return guest_instructions_per_second > 0 &&
         guest_instructions_per_second >= kLeastRatio * host_instructions_per_second;
}

HostReport CheckHost(const std::string& kvm_path) {
  HostReport report;
  report.facts = ReadHostFacts();
  if (const auto examined = Examine(kvm_path, report); !examined) {
    report.findings.push_back({.name = std::string(kDeviceFinding),
                               .ok = false,
                               .detail = examined.error().message,
                               .meaning = "KVM opens and makes virtual machines"});
  }
  report.kind = Classify(report.findings);
  Conclude(report);
  return report;
}

}  // namespace tidevm::machine
