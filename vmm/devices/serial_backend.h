// The host's end of a serial port: what --serial names.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tidevm/result.h"
#include "vmm/devices/host_stream.h"

namespace tidevm::devices {

/// Where the guest's output goes, and where its input comes from. Never blocks, but for
/// WaitWritable(). Failing output is told of once and thrown away from then on: a VM outlives its
/// terminal.
///
/// Machine thread only. Knows nothing of an event loop: input_fd() and output_fd() are what to wait
/// on.
class SerialBackend {
 public:
  /// `spec`: "stdio"; "null": no input, output thrown away; "file:PATH": no input, output to a file
  /// that is created or truncated; "fd:N": output to that descriptor, and input from it where it is
  /// open for both and neither regular file nor FIFO. It stays the caller's.
  /// For stdio, SIGPIPE becomes ignored in the whole process.
  static Result<SerialBackend> Open(std::string_view spec);

  /// stdio on other descriptors than 0 and 1, which stay the caller's. One that cannot be used is
  /// as one that has ended.
  static SerialBackend FromDescriptors(int input, int output);

  /// Reads some input; 0: none now, or no more ever.
  std::size_t Read(std::span<std::byte> data);
  /// False once the input has ended, or where there never was one.
  bool has_input() const { return input_.has_value(); }
  /// Readable when Read() has something; -1: has_input() is false, or input need not be waited for.
  int input_fd() const { return input_ ? input_->wait_fd() : -1; }

  /// Writes the front of `data` and says how much; what is thrown away counts as written. Less than
  /// all: wait for output_fd() to be writable.
  std::size_t Write(std::span<const std::byte> data);
  /// -1 where output need not be waited for.
  int output_fd() const { return output_ ? output_->wait_fd() : -1; }
  /// Blocks until output_fd() is writable, a signal comes or `timeout` is over.
  void WaitWritable(std::chrono::milliseconds timeout) const;

 private:
  SerialBackend() = default;
  static Result<SerialBackend> FromPassed(int fd, std::string_view spec);

  std::string name_ = "stdio";  // as --serial has it
  std::optional<HostStream> input_;
  std::optional<HostStream> output_;  // none: output is thrown away
};

}  // namespace tidevm::devices
