#include "vmm/control/qmp_session.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "vmm/control/commands.h"
#include "vmm/control/qmp_message.h"

namespace tidevm::control {
namespace {

constexpr std::size_t kReadBytes = 16 * std::size_t{1024};
// How long a client that is being let go may take to read its last answers.
constexpr std::chrono::seconds kLinger{1};

bool WouldBlock(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

QmpSession::QmpSession(EventLoop& loop, MachineControl& machine, UniqueFd fd, std::string label)
    : loop_(loop), machine_(machine), fd_(std::move(fd)), label_(std::move(label)) {}

QmpSession::~QmpSession() { Abandon(); }

Result<void> QmpSession::Start(ClosedCallback closed) {
  interest_ = EPOLLIN;
  // The lock keeps the session alive while it runs, should it be dropped on the way.
  auto added = loop_.Add(fd_.get(), interest_, [self = weak_from_this()](std::uint32_t events) {
    if (const auto session = self.lock()) {
      session->OnReady(events);
    }
  });
  if (!added) {
    return added;
  }
  closed_ = std::move(closed);
  Send(GreetingLine());
  return {};
}

void QmpSession::SendEvent(std::string_view line) {
  if (negotiated_ && state_ == State::kOpen) {
    Send(line);
    UpdateInterest();
  }
}

void QmpSession::Abandon() {
  closed_ = nullptr;
  if (state_ != State::kClosed) {
    Flush();
    Close();
  }
}

void QmpSession::OnReady(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    Flush();
  }
  if ((events & EPOLLIN) != 0 && state_ == State::kOpen) {
    Read();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    Close();  // both directions are shut: nobody is left to hear an answer
  }
  Pump();
}

void QmpSession::Read() {
  std::array<char, kReadBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) {
    splitter_.Feed({buffer.data(), static_cast<std::size_t>(count)});
  } else if (count == 0) {
    input_ended_ = true;
  } else if (!WouldBlock(errno)) {
    Close();
  }
}

void QmpSession::Pump() {
  if (pumping_) {
    return;
  }
  pumping_ = true;
  bool exhausted = false;
  while (state_ == State::kOpen && !busy_ && !exhausted && Backlog() <= kPauseBacklogBytes) {
    if (auto item = splitter_.Next()) {
      Handle(*std::move(item));
    } else {
      exhausted = true;
    }
  }
  pumping_ = false;
  if (exhausted && input_ended_) {
    Drain();
  }
  UpdateInterest();
}

void QmpSession::Handle(RequestSplitter::Item item) {
  switch (item.kind) {
    case RequestSplitter::Kind::kValue:
      HandleRequest(item.text);
      break;
    case RequestSplitter::Kind::kGarbage:
      Send(ErrorLine({.desc = std::move(item.text)}, std::nullopt));
      break;
    case RequestSplitter::Kind::kOverflow:
      spdlog::warn("control: {}: {}; closing", label_, item.text);
      Send(ErrorLine({.desc = std::move(item.text)}, std::nullopt));
      Drain();
      break;
  }
}

void QmpSession::HandleRequest(std::string_view text) {
  auto request = ParseRequest(text);
  if (!request) {
    Send(ErrorLine(request.error().error, request.error().id));
    return;
  }
  if (!negotiated_) {
    std::optional<QmpError> error;
    if (request->command == "qmp_capabilities") {
      error = CheckCapabilities(request->arguments);
    } else {
      error = QmpError{.error_class = kCommandNotFound,
                       .desc = "Expecting capabilities negotiation with 'qmp_capabilities'"};
    }
    negotiated_ = !error;
    Send(error ? ErrorLine(*error, request->id) : ReturnLine(Json::object(), request->id));
    return;
  }
  busy_ = true;
  const Reply reply([self = weak_from_this(), id = request->id](const Reply::Answer& answer) {
    if (const auto session = self.lock()) {
      session->Deliver(id, answer);
    }
  });
  Dispatch(machine_, *request, reply);
}

void QmpSession::Deliver(const std::optional<Json>& id, const Reply::Answer& answer) {
  if (state_ != State::kOpen) {
    return;
  }
  busy_ = false;
  Send(answer ? ReturnLine(*answer, id) : ErrorLine(answer.error(), id));
  Pump();
}

void QmpSession::Send(std::string_view line) {
  if (state_ == State::kClosed) {
    return;
  }
  if (Backlog() > kMaxBacklogBytes) {
    spdlog::warn("control: {}: does not read, {} bytes wait for it (limit {}); dropped", label_,
                 Backlog(), kMaxBacklogBytes);
    Close();
    return;
  }
  output_.append(line);
  Flush();
}

void QmpSession::Flush() {
  while (state_ != State::kClosed && Backlog() > 0) {
    const ssize_t count =
        ::send(fd_.get(), output_.data() + written_, Backlog(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (!WouldBlock(errno)) {
        Close();
      }
      break;
    }
    written_ += static_cast<std::size_t>(count);
  }
  if (Backlog() == 0) {
    output_.clear();
    written_ = 0;
    if (state_ == State::kDraining) {
      Close();
    }
  } else if (written_ > kPauseBacklogBytes) {
    output_.erase(0, written_);
    written_ = 0;
  }
}

// No more requests; the connection ends when the client has read its answers, or was too slow.
void QmpSession::Drain() {
  if (state_ != State::kOpen) {
    return;
  }
  state_ = State::kDraining;
  linger_ = loop_.After(kLinger, [self = weak_from_this()] {
    if (const auto session = self.lock()) {
      session->Close();
    }
  });
  Flush();
}

void QmpSession::Close() {
  if (state_ == State::kClosed) {
    return;
  }
  state_ = State::kClosed;
  loop_.Cancel(linger_);
  loop_.Remove(fd_.get());
  fd_.Reset();
  output_.clear();
  written_ = 0;
  if (auto closed = std::exchange(closed_, nullptr)) {
    closed();
  }
}

void QmpSession::UpdateInterest() {
  if (state_ == State::kClosed) {
    return;
  }
  std::uint32_t wanted = 0;
  if (state_ == State::kOpen && !input_ended_ && !busy_ && Backlog() <= kPauseBacklogBytes) {
    wanted |= EPOLLIN;
  }
  if (Backlog() > 0) {
    wanted |= EPOLLOUT;
  }
  if (wanted == interest_) {
    return;
  }
  interest_ = wanted;
  if (auto modified = loop_.Modify(fd_.get(), wanted); !modified) {
    spdlog::error("control: {}: {}", label_, modified.error().message);
    Close();
  }
}

}  // namespace tidevm::control
