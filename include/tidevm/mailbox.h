// Messages from several threads to the one that runs an event loop.
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm {

/// A queue with an eventfd that is readable while something waits. Post on any thread, Take on the
/// loop's. Never waits for the other side.
template <typename Message>
class Mailbox {
 public:
  /// Fails only where the process is out of descriptors.
  static Result<std::unique_ptr<Mailbox>> Create() {
    UniqueFd event_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!event_fd.valid()) {
      return FailErrno(errno, "eventfd");
    }
    return std::unique_ptr<Mailbox>(new Mailbox(std::move(event_fd)));
  }

  /// Returns false, and drops the message, where `capacity` messages wait already.
  bool Post(Message message, std::size_t capacity = std::numeric_limits<std::size_t>::max()) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= capacity) {
        return false;
      }
      was_empty = waiting_.empty();
      waiting_.push_back(std::move(message));
    }
    if (was_empty) {
      ::eventfd_write(event_fd_.get(), 1);
    }
    return true;
  }

  /// Everything that waits, oldest first.
  std::vector<Message> Take() {
    eventfd_t count = 0;
    ::eventfd_read(event_fd_.get(), &count);
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

  int event_fd() const { return event_fd_.get(); }

 private:
  explicit Mailbox(UniqueFd event_fd) : event_fd_(std::move(event_fd)) {}

  const UniqueFd event_fd_;
  std::mutex mutex_;  // innermost: nothing is locked under it
  std::vector<Message> waiting_;
};

}  // namespace tidevm
