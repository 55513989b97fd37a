#include "vmm/machine/serial_console.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

namespace tidevm::machine {
namespace {

// A panicked kernel prints nothing any more; a shell that has shown an old log prints its prompt.
constexpr std::chrono::seconds kPanicSilence{1};
constexpr std::chrono::seconds kFlushTime{2};

}  // namespace

Result<std::unique_ptr<SerialConsole>> SerialConsole::Create(const std::string& spec,
                                                             devices::InterruptLine& interrupt,
                                                             control::EventLoop& loop,
                                                             Callbacks callbacks) {
  auto backend = devices::SerialBackend::Open(spec);
  if (!backend) {
    return tl::make_unexpected(std::move(backend.error()));
  }
  auto uart = devices::Uart::Create(interrupt);
  if (!uart) {
    return tl::make_unexpected(std::move(uart.error()));
  }
  std::unique_ptr<SerialConsole> console(
      new SerialConsole(std::move(*uart), std::move(*backend), loop, std::move(callbacks)));
  if (spec == "stdio") {
    auto terminal = RawTerminal::Enter(STDIN_FILENO);
    if (!terminal) {
      return tl::make_unexpected(std::move(terminal.error()));
    }
    console->terminal_ = std::move(*terminal);
  }
  if (auto started = console->Start(); !started) {
    return tl::make_unexpected(std::move(started.error()));
  }
  return console;
}

SerialConsole::SerialConsole(std::unique_ptr<devices::Uart> uart, devices::SerialBackend backend,
                             control::EventLoop& loop, Callbacks callbacks)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      uart_(std::move(uart)),
      backend_(std::move(backend)) {
  pump_ = std::make_unique<devices::SerialPump>(
      *uart_, backend_,
      [this](std::span<const std::byte> typed, std::vector<std::byte>& input) {
        FilterInput(typed, input);
      },
      [this](std::span<const std::byte> output) { WatchOutput(output); });
}

SerialConsole::~SerialConsole() {
  loop_.Cancel(panic_timer_);
  loop_.Remove(uart_->wake_fd());
  Follow(watched_input_, -1, 0);
  Follow(watched_output_, -1, 0);
}

Result<void> SerialConsole::Start() {
  auto added =
      loop_.Add(uart_->wake_fd(), EPOLLIN, [this](std::uint32_t /*events*/) { CatchUp(); });
  if (added) {
    CatchUp();
  }
  return added;
}

void SerialConsole::Reset() {
  uart_->Reset();
  watcher_.Reset();
  loop_.Cancel(panic_timer_);
}

void SerialConsole::Flush() {
  if (!pump_->Flush(kFlushTime)) {
    spdlog::warn("serial output is left over: whoever reads it did not take it for {} s",
                 kFlushTime.count());
  }
}

void SerialConsole::FilterInput(std::span<const std::byte> typed, std::vector<std::byte>& input) {
  if (terminal_ == nullptr) {  // a pipe has no user in front of it, and every byte is meant
    input.insert(input.end(), typed.begin(), typed.end());
    return;
  }
  const EscapeFilter::Requests requests = escape_.Filter(typed, input);
  if (requests.help) {
    backend_.Write(std::as_bytes(std::span(EscapeFilter::kHelp)));
  }
  if (requests.end) {
    callbacks_.end_requested();
  }
}

void SerialConsole::WatchOutput(std::span<const std::byte> output) {
  watcher_.Feed(output);
  WatchForPanic();
}

void SerialConsole::WatchForPanic() {
  loop_.Cancel(panic_timer_);
  if (watcher_.Ended()) {
    panic_timer_ = loop_.After(kPanicSilence, [this] {
      callbacks_.panic_ended(watcher_.reason().value_or("no reason given"));
    });
  }
}

/// The pump's descriptors change with every step; the loop follows.
void SerialConsole::Drive(const std::function<void()>& step) {
  step();
  Follow(watched_input_, pump_->read_fd(), EPOLLIN);
  Follow(watched_output_, pump_->write_fd(), EPOLLOUT);
}

void SerialConsole::Follow(int& watched, int wanted, std::uint32_t events) {
  if (watched == wanted) {
    return;
  }
  if (watched >= 0) {
    loop_.Remove(watched);
  }
  watched = wanted;
  if (watched < 0) {
    return;
  }
  auto added = loop_.Add(watched, events,
                         [this](std::uint32_t /*events*/) { Drive([this] { pump_->OnReady(); }); });
  if (!added) {
    spdlog::error("serial: {}", added.error().message);
    watched = -1;
  }
}

}  // namespace tidevm::machine
