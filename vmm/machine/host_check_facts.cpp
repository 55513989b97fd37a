// What the host check learns without a guest.
#include <cpuid.h>

#include <array>
#include <cstring>
#include <ctime>

#include "vmm/machine/host_check.h"

namespace tidevm::machine {
namespace {

// CPUID: Intel SDM vol. 2A; AMD APM vol. 3, appendix E. Leaf 0x40000000 is a convention between
// hypervisors (Linux Documentation/virt/kvm/x86/cpuid.rst).
constexpr unsigned kEcxVmx = 1U << 5;
constexpr unsigned kEcxHypervisor = 1U << 31;
constexpr unsigned kEcxSvm = 1U << 2;
constexpr unsigned kHypervisorLeaf = 0x40000000;

double ThreadCpuSeconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

HostFacts ReadHostFacts() {
  HostFacts facts;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
    facts.vmx = (ecx & kEcxVmx) != 0;
    facts.virtual_machine = (ecx & kEcxHypervisor) != 0;
  }
  if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) != 0) {
    facts.svm = (ecx & kEcxSvm) != 0;
  }
  if (facts.virtual_machine) {
    __cpuid(kHypervisorLeaf, eax, ebx, ecx, edx);
    const std::array<unsigned, 3> words = {ebx, ecx, edx};
    std::array<char, sizeof words> text{};
    std::memcpy(text.data(), words.data(), sizeof words);
    for (const char character : text) {
      if (character >= ' ' && character <= '~') {
        facts.hypervisor += character;
      }
    }
  }
  return facts;
}

double MeasureHostSpeed() {
  constexpr std::uint32_t kRounds = 1U << 22;
  constexpr double kInstructions = 2.0 * kRounds;
  const double start = ThreadCpuSeconds();
  std::uint32_t rounds = kRounds;
  // The same two instructions as in probe_guest.S.
  asm volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
  const double seconds = ThreadCpuSeconds() - start;
  return seconds > 0 ? kInstructions / seconds : 0;
}

}  // namespace tidevm::machine
