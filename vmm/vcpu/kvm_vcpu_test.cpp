// The vCPU thread, its orders and its park, over a KVM that pretends.
#include "vmm/vcpu/kvm_vcpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "vmm/kvm/fake_kvm.h"
#include "vmm/kvm/system.h"

namespace tidevm::vcpu {
namespace {

using testing::Contains;
using testing::Not;

constexpr std::uint32_t kMsrTsc = 0x10;
constexpr std::uint32_t kMsrTscAdjust = 0x3b;
constexpr std::uint32_t kMsrSysenterCs = 0x174;

/// Counts what a thread tells, and waits for it.
class ObserverLog final : public VcpuObserver {
 public:
  void OnThreadStarted(CpuId /*cpu*/) override { Count(started_); }
  void OnBooting(CpuId /*cpu*/) override {}
  void OnOnlineChanged(CpuId /*cpu*/, bool /*online*/) override {}
  void OnThreadHeld(CpuId /*cpu*/) override { Count(held_); }
  void OnThreadEnded(CpuId /*cpu*/, ThreadEnd /*end*/) override { Count(ended_); }

  bool WaitForStart() { return WaitFor(started_); }
  bool WaitForHeld() { return WaitFor(held_); }
  bool WaitForEnd() { return WaitFor(ended_); }

 private:
  void Count(int& counter) {
    const std::lock_guard lock(mutex_);
    ++counter;
    changed_.notify_all();
  }
  /// Takes one away.
  bool WaitFor(int& counter) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return counter > 0; });
    counter -= came ? 1 : 0;
    return came;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int started_ = 0;
  int held_ = 0;
  int ended_ = 0;
};

class KvmVcpuTest : public testing::Test {
 protected:
  void SetUp() override {
    auto system = kvm::System::Open(kvm::FakeKvm::kPath);
    ASSERT_TRUE(system.has_value()) << system.error().message;
    vm_ = system->CreateVm().value();
    const auto msrs = PristineMsrs(system->MsrIndexList().value());
    vcpu_ =
        KvmVcpu::Create(
            *vm_, {.cpu = 1, .apic_id = 1, .cpuid = system->SupportedCpuid().value(), .msrs = msrs},
            {.ports = ports_,
             .memory = memory_,
             .gate = gate_,
             .observer = log_,
             .confine = [](std::string_view) { return Result<void>(); }})
            .value();
  }

  /// What went wrong must not keep the thread from its end, which the vCPU's destructor asks for.
  void TearDown() override {
    kvm_.Release();
    gate_.Open();
  }

  void Start() {
    ASSERT_TRUE(vcpu_->Start().has_value());
    ASSERT_TRUE(log_.WaitForStart());
  }

  /// Behind its look at gate and orders, and not in KVM_RUN yet.
  void StartAndHoldBeforeRun() {
    kvm_.HoldBeforeRun(1);
    ASSERT_NO_FATAL_FAILURE(Start());
    ASSERT_TRUE(kvm_.WaitUntilHeld());
  }

  void EjectAndPark() {
    ASSERT_TRUE(vcpu_->BeginEject().has_value());
    ASSERT_TRUE(log_.WaitForEnd());
    ASSERT_TRUE(vcpu_->JoinAndPark().has_value());
  }

  kvm::FakeKvm kvm_;
  std::optional<kvm::Vm> vm_;
  devices::Bus ports_;
  devices::Bus memory_;
  RunGate gate_{true};
  ObserverLog log_;
  std::unique_ptr<KvmVcpu> vcpu_;
};

// Pitfall 13.
TEST_F(KvmVcpuTest, AnEjectBetweenTheLookAtTheOrdersAndKvmRunIsNotLost) {
  ASSERT_NO_FATAL_FAILURE(StartAndHoldBeforeRun());
  ASSERT_TRUE(vcpu_->BeginEject().has_value());
  kvm_.Release();
  EXPECT_TRUE(log_.WaitForEnd());
}

// Pitfall 13.
TEST_F(KvmVcpuTest, APauseBetweenTheLookAtTheGateAndKvmRunIsNotLost) {
  ASSERT_NO_FATAL_FAILURE(StartAndHoldBeforeRun());
  gate_.Close();
  vcpu_->Kick();
  kvm_.Release();
  EXPECT_TRUE(log_.WaitForHeld());
  EXPECT_TRUE(vcpu_->held());
}

// Pitfall 4.
TEST_F(KvmVcpuTest, OneThatIsPausedCanBeEjected) {
  gate_.Close();
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_TRUE(log_.WaitForHeld());
  ASSERT_TRUE(vcpu_->BeginEject().has_value());
  EXPECT_TRUE(log_.WaitForEnd());
}

// Pitfall 16. KVM keeps the TSC of a vCPU in step that nobody ever wrote.
TEST_F(KvmVcpuTest, TheTscIsNeverWrittenWhateverComesAndGoes) {
  for (int life = 0; life < 3; ++life) {
    ASSERT_NO_FATAL_FAILURE(Start());
    ASSERT_NO_FATAL_FAILURE(EjectAndPark());
    ASSERT_TRUE(vcpu_->Revive().has_value());
  }
  EXPECT_THAT(kvm_.written_msrs(), Contains(kMsrSysenterCs)) << "revived, and made new";
  EXPECT_THAT(kvm_.written_msrs(), Not(Contains(kMsrTsc)));
  EXPECT_THAT(kvm_.written_msrs(), Not(Contains(kMsrTscAdjust)));
}

}  // namespace
}  // namespace tidevm::vcpu
