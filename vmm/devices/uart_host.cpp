// The machine thread's side of the serial port: output, input, reset.
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vmm/devices/uart.h"

namespace tidevm::devices {

Result<std::unique_ptr<Uart>> Uart::Create(InterruptLine& interrupt) {
  UniqueFd wake(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!wake.valid()) {
    return FailErrno(errno, "cannot make the serial port's timer");
  }
  return std::make_unique<Uart>(interrupt, std::move(wake));
}

void Uart::Wake(std::chrono::nanoseconds delay) {
  // 0 would disarm the timer.
  const itimerspec when{.it_interval = {},
                        .it_value = {.tv_sec = 0, .tv_nsec = std::max(delay.count(), 1L)}};
  ::timerfd_settime(wake_.get(), 0, &when, nullptr);
}

void Uart::AcknowledgeWake() {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const ssize_t count = ::read(wake_.get(), &expirations, sizeof(expirations));
}

std::span<const std::byte> Uart::PeekOutput() {
  const std::lock_guard lock(mutex_);
  output_wake_armed_ = output_.empty();
  return output_.Front();
}

void Uart::ConsumeOutput(std::size_t count) {
  const std::lock_guard lock(mutex_);
  output_.Drop(count);
  if (transmit_blocked_ && output_.free() >= kOutputResumeRoom) {
    transmit_blocked_ = false;
    registers_.transmit_pending = true;
    UpdateInterrupt();
  }
}

std::size_t Uart::PushInput(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  input_wake_armed_ = false;
  std::size_t taken = backlog_.PushSome(bytes);
  Refill();
  taken += backlog_.PushSome(bytes.subspan(taken));
  input_wake_armed_ = taken < bytes.size();
  UpdateInterrupt();
  return taken;
}

void Uart::Reset() {
  const std::lock_guard lock(mutex_);
  registers_ = {};
  fifo_.Drop(fifo_.size());
  backlog_.Drop(backlog_.size());
  Refill();  // for its wake-up
  UpdateInterrupt();
}

std::uint64_t Uart::dropped_output() const {
  const std::lock_guard lock(mutex_);
  return dropped_output_;
}

}  // namespace tidevm::devices
