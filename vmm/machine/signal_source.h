// The signals that ask the process to end, as a descriptor.
#pragma once

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::machine {

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread, and so in all that it starts, and reads them
/// from a signalfd instead. SIGPIPE and SIGTTIN are ignored:
/// writers look at EPIPE, readers at EIO.
class SignalSource {
 public:
  static Result<SignalSource> Create();
  int fd() const { return fd_.get(); }
  /// The next signal's number, or 0.
  int Take() const;

 private:
  explicit SignalSource(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace tidevm::machine
