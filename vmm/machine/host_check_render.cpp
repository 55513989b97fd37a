// The host check in words.
#include <algorithm>
#include <iterator>

#include "tidevm/result.h"
#include "vmm/machine/host_check.h"

namespace tidevm::machine {
namespace {

constexpr const char* kEmulatedHost =
    "run it in the emulated host, which works on any Linux machine: tools/kvm-host run -- tidevm "
    "...";

std::string Surroundings(const HostFacts& facts) {
  std::string text = facts.virtual_machine ? "in a virtual machine" : "on the bare machine";
  if (!facts.hypervisor.empty()) {
    text += fmt::format(" (hypervisor \"{}\")", facts.hypervisor);
  }
  if (facts.vmx) {
    text += ", VMX";
  }
  if (facts.svm) {
    text += ", SVM";
  }
  if (!facts.vmx && !facts.svm) {
    text += ", neither VMX nor SVM";
  }
  return text;
}

/// The kind of a KVM that is fit, as far as facts tell.
const char* FitKind(const HostFacts& facts) {
  if (!facts.vmx && !facts.svm) {
    return "by means that this processor does not show";
  }
  return facts.virtual_machine ? "nested: this machine is a virtual one itself" : "hardware";
}

std::string FailedNames(const HostReport& report) {
  std::string names;
  for (const HostFinding& finding : report.findings) {
    if (!finding.ok) {
      names += (names.empty() ? "" : ", ") + finding.name;
    }
  }
  return names;
}

}  // namespace

void Conclude(HostReport& report) {
  report.remedy.clear();
  switch (report.kind) {
    case HostKind::kFit:
      report.summary = fmt::format("fit for Linux guests ({})", FitKind(report.facts));
      return;
    case HostKind::kInterpreting: {
      const bool slow =
          report.instructions_per_second > 0 &&
          !RunsOnProcessor(report.instructions_per_second, report.host_instructions_per_second);
      report.summary =
          slow ? "not fit: this KVM interprets guest kernels; bare-metal guests may run, Linux "
                 "does not"
               : fmt::format("not fit: a Linux guest needs what fails here ({})",
                             FailedNames(report));
      report.remedy = fmt::format("use a machine with VMX or SVM, or {}", kEmulatedHost);
      return;
    }
    case HostKind::kNone: {
      const auto device = std::ranges::find(report.findings, kDeviceFinding, &HostFinding::name);
      report.summary = fmt::format(
          "no KVM: {}", device == report.findings.end() ? "not looked for" : device->detail);
      report.remedy = fmt::format("mend that, or {}", kEmulatedHost);
      return;
    }
  }
}

std::string Render(const HostReport& report) {
  std::size_t width = 0;
  for (const HostFinding& finding : report.findings) {
    width = std::max(width, finding.name.size());
  }
  std::string text = fmt::format("host: {}\n\n", Surroundings(report.facts));
  const auto out = std::back_inserter(text);
  for (const HostFinding& finding : report.findings) {
    fmt::format_to(out, "  {:<4}  {:<{}}  {}\n", finding.ok ? "ok" : "FAIL", finding.name, width,
                   finding.meaning);
    if (!finding.detail.empty()) {
      fmt::format_to(out, "        {:<{}}  -> {}\n", "", width, finding.detail);
    }
  }
  text += '\n';
  if (!report.remedy.empty()) {
    fmt::format_to(out, "remedy: {}\n", report.remedy);
  }
  fmt::format_to(out, "verdict: {}\n", report.summary);
  return text;
}

}  // namespace tidevm::machine
