// One client of the control socket.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tidevm/unique_fd.h"
#include "vmm/control/event_loop.h"
#include "vmm/control/machine_control.h"
#include "vmm/control/reply.h"
#include "vmm/control/request_splitter.h"

namespace tidevm::control {

/// A client that lets more than this wait unread, when there is something new for it, is dropped.
inline constexpr std::size_t kMaxBacklogBytes = 1024 * std::size_t{1024};
/// A client with more than this unread gets its next request looked at when it has read some.
inline constexpr std::size_t kPauseBacklogBytes = 256 * std::size_t{1024};

/// Reads requests, answers them one after the other in their order (as QMP has it without
/// out-of-band execution: while an answer is outstanding the client's next request waits), passes
/// events on once capabilities are negotiated. Never blocks. A client that has shut down its
/// sending side still gets what it asked for. Machine thread only.
class QmpSession : public std::enable_shared_from_this<QmpSession> {
 public:
  using ClosedCallback = std::function<void()>;

  /// `label` names the client in the log. `loop` and `machine` must outlive the session.
  QmpSession(EventLoop& loop, MachineControl& machine, UniqueFd fd, std::string label);
  QmpSession(const QmpSession&) = delete;
  QmpSession& operator=(const QmpSession&) = delete;
  ~QmpSession();

  /// Enters the loop and sends the greeting. `closed` is called once, when the session ends by
  /// itself; it may drop the last reference.
  Result<void> Start(ClosedCallback closed);

  /// Queues a line, if this client has come past the negotiation.
  void SendEvent(std::string_view line);

  /// Ends the session after one last attempt to write; `closed` is not called.
  void Abandon();

 private:
  enum class State { kOpen, kDraining, kClosed };

  void OnReady(std::uint32_t events);
  void Read();
  void Pump();
  void Handle(RequestSplitter::Item item);
  void HandleRequest(std::string_view text);
  void Deliver(const std::optional<Json>& id, const Reply::Answer& answer);
  void Send(std::string_view line);
  void Flush();
  void Drain();
  void Close();
  void UpdateInterest();
  std::size_t Backlog() const { return output_.size() - written_; }

  EventLoop& loop_;
  MachineControl& machine_;
  UniqueFd fd_;
  const std::string label_;
  ClosedCallback closed_;
  State state_ = State::kOpen;
  bool negotiated_ = false;
  bool busy_ = false;         // an answer is outstanding
  bool pumping_ = false;      // Pump() is on the stack
  bool input_ended_ = false;  // the client sends no more
  std::uint32_t interest_ = 0;
  EventLoop::TimerId linger_ = 0;
  RequestSplitter splitter_;
  std::string output_;
  std::size_t written_ = 0;  // of output_
};

}  // namespace tidevm::control
