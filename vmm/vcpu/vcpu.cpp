#include "vmm/vcpu/vcpu.h"

#include <utility>

namespace tidevm::vcpu {

Result<void> Vcpu::Advance(VcpuEvent event) {
  const auto next = NextState(state_, event);
  if (!next) {
    return Fail(ErrorCode::kBusy, "vCPU {} is {}: {} is not possible now", cpu_, ToString(state_),
                ToString(event));
  }
  state_ = *next;
  return {};
}

Result<void> Vcpu::SetEntry(const LongModeEntry& entry) {
  if (state_ != VcpuState::kCreated) {
    return Fail(ErrorCode::kBusy, "vCPU {} is {}: its entry is set before it starts", cpu_,
                ToString(state_));
  }
  return DoSetEntry(entry);
}

Result<void> Vcpu::Start() {
  if (auto advanced = Advance(VcpuEvent::kStart); !advanced) {
    return advanced;
  }
  auto started = DoStart();
  if (!started) {
    state_ = VcpuState::kCreated;
  }
  return started;
}

Result<void> Vcpu::BeginEject() {
  return Advance(VcpuEvent::kEject).map([this] { DoRequestStop(); });
}

Result<void> Vcpu::JoinAndPark() {
  return Advance(VcpuEvent::kJoined).map([this] { DoJoin(); });
}

Result<void> Vcpu::Revive() {
  if (auto advanced = Advance(VcpuEvent::kRevive); !advanced) {
    return advanced;
  }
  if (auto revived = DoRevive(); !revived) {
    state_ = VcpuState::kParked;
    return Chain(std::move(revived.error()), fmt::format("making vCPU {} new again", cpu_));
  }
  return {};
}

}  // namespace tidevm::vcpu
