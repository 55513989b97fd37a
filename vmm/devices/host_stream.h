// A descriptor that was given to this process, read or written without ever blocking.
#pragma once

#include <cstddef>
#include <span>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::devices {

/// stdin and stdout are shared with whoever started us, so O_NONBLOCK must not be set on them: it
/// would stay on the user's shell. Instead a terminal or pipe is opened a second time through
/// /proc, a socket is used with MSG_DONTWAIT, a regular file just used (it never waits, and a
/// second opening would have a position of its own), and anything else is asked with poll() and
/// then given little at a time.
///
/// One thread at a time. SIGPIPE must be ignored in the process.
class HostStream {
 public:
  enum class Direction { kRead, kWrite };

  /// What became of a read or write: `count` bytes of it; with error != 0 the stream is of no use
  /// any more (an errno value). Nothing at all: not now.
  struct Transfer {
    std::size_t count = 0;
    int error = 0;
    bool end = false;  // of input
  };

  /// A way of our own to what `fd` is open on; `fd` itself is left as it is.
  static Result<HostStream> From(int fd, Direction direction);
  /// Creates or truncates a file. A FIFO needs to have its reader already.
  static Result<HostStream> OpenFile(const std::string& path);

  Transfer Read(std::span<std::byte> data) const;
  Transfer Write(std::span<const std::byte> data) const;

  /// The descriptor to wait on, or -1 where waiting is neither needed nor possible: epoll refuses
  /// regular files.
  int wait_fd() const { return waitable_ ? fd_.get() : -1; }

 private:
  enum class Kind { kNonBlocking, kSocket, kPolled };
  static Result<HostStream> Make(UniqueFd fd, Kind kind);
  HostStream(UniqueFd fd, Kind kind, bool waitable);
  Transfer Finish(ssize_t result) const;
  bool ReadyNow(short events) const;

  UniqueFd fd_;
  Kind kind_;
  std::size_t chunk_;  // the most to write at once
  bool waitable_;
};

}  // namespace tidevm::devices
