// Which kind of KVM is this, and can a Linux guest run on it? Found out by running tiny guests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/kvm/limits.h"

namespace tidevm::machine {

enum class HostKind : std::uint8_t {
  kNone,          ///< no device, no permission, or it makes no virtual machines
  kInterpreting,  ///< it runs guests, but not as a processor would: no Linux
  kFit,           ///< everything that was tried works
};

struct HostFinding {
  std::string name;
  bool ok = false;
  std::string detail;   ///< what was seen
  std::string meaning;  ///< what it is needed for
};

/// The finding without which there is no KVM at all.
inline constexpr std::string_view kDeviceFinding = "device";

/// What this machine says of itself. For information: no verdict comes from it.
struct HostFacts {
  bool virtual_machine = false;  ///< CPUID leaf 1 ECX bit 31: a hypervisor is below
  std::string hypervisor{};      ///< its signature, CPUID leaf 0x40000000
  bool vmx = false;
  bool svm = false;
};

struct HostReport {
  HostKind kind = HostKind::kNone;
  std::string summary;  ///< one line, without a full stop
  std::vector<HostFinding> findings;
  HostFacts facts;
  kvm::CpuLimits limits;
  double instructions_per_second = 0;       ///< in the guest's kernel mode; 0: not measured
  double host_instructions_per_second = 0;  ///< the same loop outside
  double io_exit_ns = 0;                    ///< from OUT to OUT; 0: not measured
  std::string remedy;                       ///< empty where nothing is to be done
};

/// The kind that follows from the findings. An empty list is kNone.
HostKind Classify(std::span<const HostFinding> findings);

/// Whether guest code runs on the processor: an interpreter is some hundred times slower than the
/// loop outside. A ratio of processor times, so that a busy or emulated host makes no difference.
bool RunsOnProcessor(double guest_instructions_per_second, double host_instructions_per_second);

/// Runs the probes: a second or two, and some seconds more for each test that gets no answer.
HostReport CheckHost(const std::string& kvm_path);

/// A table for people; the last line starts with "verdict: ". Ends in a newline.
std::string Render(const HostReport& report);

/// Reads CPUID on this processor.
HostFacts ReadHostFacts();

/// The speed of the probe guest's counting loop, outside a guest.
double MeasureHostSpeed();

/// Sets `summary` and `remedy` from everything else.
void Conclude(HostReport& report);

}  // namespace tidevm::machine
