#include "vmm/devices/serial_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "tidevm/descriptor_name.h"

namespace tidevm::devices {
namespace {

constexpr std::string_view kFilePrefix = "file:";

}  // namespace

Result<SerialBackend> SerialBackend::Open(std::string_view spec) {
  if (spec == "stdio") {
    std::signal(SIGPIPE, SIG_IGN);
    return FromDescriptors(STDIN_FILENO, STDOUT_FILENO);
  }
  if (spec == "null") {
    return SerialBackend();
  }
  if (spec.starts_with(kFilePrefix) && spec.size() > kFilePrefix.size()) {
    auto file = HostStream::OpenFile(std::string(spec.substr(kFilePrefix.size())));
    if (!file) {
      return Chain(std::move(file.error()), "serial port");
    }
    SerialBackend backend;
    backend.name_ = spec;
    backend.output_ = std::move(*file);
    return backend;
  }
  if (const auto fd = DescriptorOf(spec)) {
    return FromPassed(*fd, spec);
  }
  return Fail(ErrorCode::kInvalidArgument,
              "serial port: \"{}\" is none of stdio, null, file:PATH and fd:N", spec);
}

Result<SerialBackend> SerialBackend::FromPassed(int fd, std::string_view spec) {
  const int flags = ::fcntl(fd, F_GETFL);
  struct stat status {};
  if (flags < 0 || ::fstat(fd, &status) != 0) {
    return FailErrno(errno, "serial port {}: pass an open descriptor", spec);
  }
  auto output = HostStream::From(fd, HostStream::Direction::kWrite);
  if (!output) {
    return Chain(std::move(output.error()), fmt::format("serial port {}", spec));
  }
  SerialBackend backend;
  backend.output_ = std::move(*output);
  // What is written to a file or a FIFO is no input, though it can be read.
  const bool comes_back = S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode);
  if ((flags & O_ACCMODE) == O_RDWR && !comes_back) {
    auto input = HostStream::From(fd, HostStream::Direction::kRead);
    if (!input) {
      return Chain(std::move(input.error()), fmt::format("serial port {}", spec));
    }
    backend.input_ = std::move(*input);
  }
  return backend;
}

SerialBackend SerialBackend::FromDescriptors(int input, int output) {
  SerialBackend backend;
  if (auto stream = HostStream::From(input, HostStream::Direction::kRead)) {
    backend.input_ = std::move(*stream);
  } else {
    spdlog::warn("--serial {}: the guest gets no input: {}", backend.name_, stream.error().message);
  }
  if (auto stream = HostStream::From(output, HostStream::Direction::kWrite)) {
    backend.output_ = std::move(*stream);
  } else {
    spdlog::warn("--serial {}: the guest's output is thrown away: {}", backend.name_,
                 stream.error().message);
  }
  return backend;
}

std::size_t SerialBackend::Read(std::span<std::byte> data) {
  if (!input_) {
    return 0;
  }
  const HostStream::Transfer transfer = input_->Read(data);
  if (transfer.end || transfer.error != 0) {
    input_.reset();
  }
  return transfer.count;
}

std::size_t SerialBackend::Write(std::span<const std::byte> data) {
  if (!output_) {
    return data.size();
  }
  const HostStream::Transfer transfer = output_->Write(data);
  if (transfer.error == 0) {
    return transfer.count;
  }
  spdlog::warn(
      "--serial {}: the guest's output is thrown away from now on, until the VM is "
      "started anew: {}",
      name_, std::strerror(transfer.error));
  output_.reset();
  return data.size();
}

void SerialBackend::WaitWritable(std::chrono::milliseconds timeout) const {
  if (output_fd() >= 0) {
    pollfd ready{.fd = output_fd(), .events = POLLOUT, .revents = 0};
    ::poll(&ready, 1, static_cast<int>(timeout.count()));
  }
}

}  // namespace tidevm::devices
