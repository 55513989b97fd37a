// The log's way out, for which nobody waits.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tidevm/result.h"
#include "vmm/devices/host_stream.h"

namespace tidevm::machine {

/// Writes lines to a descriptor without ever blocking: a reader that has stopped, and a disk that
/// is full, must not stop the VM. Lines that do not get through are lost; how many is the first
/// that is told when something gets through again. Any thread.
class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// To what `fd` is open on; `fd` itself stays the caller's. SIGPIPE must be ignored once the
  /// reader can go.
  static Result<std::shared_ptr<LogSink>> Open(int fd);

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  explicit LogSink(devices::HostStream stream) : stream_(std::move(stream)) {}
  bool WriteRest();
  bool WriteLine(const spdlog::details::log_msg& message);

  devices::HostStream stream_;
  std::string rest_;  // of a line that got through in part
  std::uint64_t lost_ = 0;
};

}  // namespace tidevm::machine
