#include "vmm/vcpu/pristine_state.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace tidevm::vcpu {
namespace {

constexpr std::uint32_t kMsrTsc = 0x10;
constexpr std::uint32_t kMsrTscAdjust = 0x3b;
constexpr std::uint32_t kMsrKvmWallClock = 0x11;
constexpr std::uint32_t kMsrKvmWallClockNew = 0x4b564d00;
constexpr std::uint32_t kMsrHyperVFirst = 0x40000000;
constexpr std::uint32_t kMsrHyperVLast = 0x400001ff;

// Intel SDM vol. 4, table 2-2.
constexpr std::uint32_t kMtrrVariableFirst = 0x200;  // eight pairs
constexpr std::uint32_t kMtrrVariableLast = 0x20f;
constexpr std::uint32_t kMtrrFixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                        0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
constexpr std::uint32_t kMtrrDefaultType = 0x2ff;
constexpr std::uint32_t kMachineCheckFirst = 0x400;  // CTL, STATUS, ADDR, MISC of each bank
constexpr std::uint32_t kMachineCheckLast = 0x47f;   // 32 banks, KVM's default

bool IsPerVcpu(std::uint32_t msr) {
  switch (msr) {
    case kMsrTsc:
    case kMsrTscAdjust:
    case kMsrKvmWallClock:
    case kMsrKvmWallClockNew:
      return false;
    default:
      return msr < kMsrHyperVFirst || msr > kMsrHyperVLast;
  }
}

/// Takes one piece of state, or keeps the first error.
template <typename State>
void Take(State& into, Result<State> got, Result<void>& first_error) {
  if (got) {
    into = std::move(*got);
  } else if (first_error) {
    first_error = tl::make_unexpected(std::move(got.error()));
  }
}

}  // namespace

std::vector<std::uint32_t> PristineMsrs(std::span<const std::uint32_t> kvm_index_list) {
  std::vector<std::uint32_t> msrs;
  std::ranges::copy_if(kvm_index_list, std::back_inserter(msrs), IsPerVcpu);
  for (std::uint32_t msr = kMtrrVariableFirst; msr <= kMtrrVariableLast; ++msr) {
    msrs.push_back(msr);
  }
  msrs.insert(msrs.end(), std::begin(kMtrrFixed), std::end(kMtrrFixed));
  msrs.push_back(kMtrrDefaultType);
  for (std::uint32_t msr = kMachineCheckFirst; msr <= kMachineCheckLast; ++msr) {
    msrs.push_back(msr);
  }
  std::ranges::sort(msrs);
  msrs.erase(std::unique(msrs.begin(), msrs.end()), msrs.end());
  return msrs;
}

Result<PristineState> PristineState::Capture(const kvm::Vcpu& vcpu,
                                             std::span<const std::uint32_t> msrs) {
  PristineState state;
  Result<void> outcome;
  Take(state.regs_, vcpu.GetRegs(), outcome);
  Take(state.sregs_, vcpu.GetSregs(), outcome);
  Take(state.xsave_, vcpu.GetXsave(), outcome);
  Take(state.xcrs_, vcpu.GetXcrs(), outcome);
  Take(state.debug_regs_, vcpu.GetDebugRegs(), outcome);
  Take(state.lapic_, vcpu.GetLapic(), outcome);
  Take(state.events_, vcpu.GetEvents(), outcome);
  Take(state.mp_state_, vcpu.GetMpState(), outcome);
  Take(state.msrs_, vcpu.GetMsrs(msrs), outcome);
  if (!outcome) {
    return tl::make_unexpected(std::move(outcome.error()));
  }
  // GET does not offer the SIPI vector, SET takes it: without the flag an old one would survive.
  state.events_.flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
  return state;
}

Result<void> PristineState::Restore(kvm::Vcpu& vcpu) const {
  // Reading the MP state makes KVM act on a latched INIT or SIPI now, and reading the events on a
  // latched SMI, before all is overwritten.
  if (const auto drained = vcpu.GetMpState(); !drained) {
    return tl::make_unexpected(drained.error());
  }
  if (const auto drained = vcpu.GetEvents(); !drained) {
    return tl::make_unexpected(drained.error());
  }
  // APIC base (in sregs) before the LAPIC page, whose layout depends on it; the MP state last, for
  // the events may change it.
  const auto restore_all = [&]() -> Result<void> {
    return vcpu.SetSregs(sregs_)
        .and_then([&] { return vcpu.SetRegs(regs_); })
        .and_then([&] { return vcpu.SetXcrs(xcrs_); })
        .and_then([&] { return vcpu.SetXsave(xsave_); })
        .and_then([&] { return vcpu.SetDebugRegs(debug_regs_); })
        .and_then([&] { return vcpu.SetLapic(lapic_); });
  };
  if (auto restored = restore_all(); !restored) {
    return restored;
  }
  const auto refused = vcpu.SetMsrs(msrs_);
  if (!refused) {
    return tl::make_unexpected(refused.error());
  }
  if (!refused->empty()) {
    spdlog::debug("KVM refused to write back {} MSRs, the first is {:#x}", refused->size(),
                  refused->front());
  }
  return vcpu.SetEvents(events_).and_then([&] { return vcpu.SetMpState(mp_state_); });
}

}  // namespace tidevm::vcpu
