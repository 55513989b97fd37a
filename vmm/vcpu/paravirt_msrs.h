// The proof that a guest uses a CPU, from the guest's own writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tidevm::vcpu {

// Linux Documentation/virt/kvm/x86/msr.rst. A guest on KVM arms these three on each CPU as it comes
// online, and disarms them as it goes down.
inline constexpr std::uint32_t kMsrAsyncPageFault = 0x4b564d02;
inline constexpr std::uint32_t kMsrStealTime = 0x4b564d03;
inline constexpr std::uint32_t kMsrPvEoi = 0x4b564d04;
inline constexpr std::uint32_t kFirstParavirtMsr = kMsrAsyncPageFault;
inline constexpr std::uint32_t kParavirtMsrCount = kMsrPvEoi - kMsrAsyncPageFault + 1;

/// What one vCPU's writes to them mean. The vCPU's thread.
class ParavirtMsrs {
 public:
  static bool Has(std::uint32_t msr) { return msr - kFirstParavirtMsr < kParavirtMsrCount; }

  /// A write that KVM took, to an MSR that Has(). The answer is there where it changes what is
  /// known: true, the guest brings the CPU up; false, it takes it down. The first to be armed and
  /// the first to be disarmed decide.
  std::optional<bool> Note(std::uint32_t msr, std::uint64_t value) {
    constexpr std::uint64_t kEnable = 1;
    bool& armed = armed_.at(msr - kFirstParavirtMsr);
    const bool was_armed = armed;
    armed = (value & kEnable) != 0;
    const bool says_something = armed || was_armed;
    if (!says_something || armed == online_) {
      return std::nullopt;
    }
    online_ = armed;
    return online_;
  }

 private:
  std::array<bool, kParavirtMsrCount> armed_{};
  bool online_ = false;
};

}  // namespace tidevm::vcpu
