#include "vmm/machine/log_sink.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/fmt/fmt.h>

#include <span>
#include <string>
#include <utility>

namespace tidevm::machine {

Result<std::shared_ptr<LogSink>> LogSink::Open(int fd) {
  return devices::HostStream::From(fd, devices::HostStream::Direction::kWrite)
      .map([](devices::HostStream stream) {
        return std::shared_ptr<LogSink>(new LogSink(std::move(stream)));
      });
}

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
  if (lost_ > 0 && WriteRest()) {
    const std::string text =
        fmt::format("lost lines of this log, which nothing took in time: {}", lost_);
    if (WriteLine({message.logger_name, spdlog::level::warn, text})) {
      lost_ = 0;
    }
  }
  if (lost_ > 0 || !WriteLine(message)) {
    ++lost_;
  }
}

bool LogSink::WriteRest() {
  const auto written = stream_.Write(std::as_bytes(std::span(rest_)));
  rest_.erase(0, written.count);
  return rest_.empty();
}

/// True where at least its beginning got through: the rest follows before the next one.
bool LogSink::WriteLine(const spdlog::details::log_msg& message) {
  if (!WriteRest()) {
    return false;
  }
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  rest_.assign(line.data(), line.size());
  const std::size_t whole = rest_.size();
  WriteRest();
  if (rest_.size() == whole) {
    rest_.clear();
    return false;
  }
  return true;
}

}  // namespace tidevm::machine
