// The control socket: clients, commands, events.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"
#include "vmm/control/event_loop.h"
#include "vmm/control/events.h"
#include "vmm/control/listening_socket.h"
#include "vmm/control/machine_control.h"

namespace tidevm::control {

class QmpSession;

struct ServerOptions {
  std::string path{};    // of the socket to make; used where there is no listen_fd
  UniqueFd listen_fd{};  // an inherited listening socket instead
  std::size_t max_clients = 32;
};

/// Accepts clients from the loop until it is destroyed. Only root and the user whose process this
/// is may speak. Whatever one client does, or fails to do, the others and the machine go on.
///
/// Machine thread only. `loop` and `machine` must outlive it. The machine may call Publish() from
/// within any MachineControl method; it must not destroy the server there: Quit() ends the loop,
/// and the server goes afterwards, which writes what the clients' sockets still take.
class QmpServer final : public EventSink {
 public:
  static Result<std::unique_ptr<QmpServer>> Create(EventLoop& loop, MachineControl& machine,
                                                   ServerOptions options);
  QmpServer(const QmpServer&) = delete;
  QmpServer& operator=(const QmpServer&) = delete;
  ~QmpServer() override;

  /// To every client past its negotiation, with the time of this call.
  void Publish(const Event& event) override;
  /// With another time.
  void Publish(const Event& event, std::chrono::system_clock::time_point when);

 private:
  QmpServer(EventLoop& loop, MachineControl& machine, ListeningSocket socket,
            std::size_t max_clients);
  Result<void> StartAccepting();
  void Accept();
  void PauseAccepting(const std::string& why);
  void Admit(UniqueFd fd);

  EventLoop& loop_;
  MachineControl& machine_;
  ListeningSocket socket_;
  const std::size_t max_clients_;
  EventLoop::TimerId retry_ = 0;
  bool accepting_fails_ = false;
  std::uint64_t next_client_ = 1;
  std::map<std::uint64_t, std::shared_ptr<QmpSession>> clients_;
};

/// Who may speak: root, and the user that this process runs as.
bool IsTrustedPeer(std::uint32_t peer_uid, std::uint32_t own_uid);

}  // namespace tidevm::control
