// The gate that all vCPU threads pass before each KVM_RUN.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace tidevm::vcpu {

/// Closed while the machine is paused (QMP stop). The machine thread opens, closes and wakes; vCPU
/// threads look and wait. Closing does not stop a vCPU that is in KVM_RUN: kick it afterwards.
class RunGate {
 public:
  explicit RunGate(bool open) : open_(open) {}

  /// vCPU threads, before every KVM_RUN: one load, no lock.
  bool open() const { return open_.load(std::memory_order_acquire); }

  /// vCPU threads: returns when the gate is open or `give_up` is true.
  void Wait(const std::atomic<bool>& give_up) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open() || give_up.load(); });
  }

  /// Machine thread.
  void Open() { Set(true); }
  void Close() { Set(false); }
  /// Machine thread: makes Wait() look at its `give_up` again.
  void Wake() {
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
  }

 private:
  void Set(bool open) {
    {
      const std::lock_guard lock(mutex_);
      open_.store(open, std::memory_order_release);
    }
    changed_.notify_all();
  }

  std::mutex mutex_;  // nothing else is locked under it
  std::condition_variable changed_;
  // Written under mutex_; atomic so that the way into KVM_RUN takes no lock.
  std::atomic<bool> open_;
};

}  // namespace tidevm::vcpu
