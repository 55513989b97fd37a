// A blocking QMP client with deadlines.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::tidectl {

using Json = nlohmann::json;
using Deadline = std::chrono::steady_clock::time_point;

/// No deadline.
inline constexpr Deadline kNever = Deadline::max();

/// Why a call gave no answer. The three need different exit codes and different words.
enum class FailureKind {
  kConnection,  // no VM there, or it went away
  kRefused,     // the VM answered with an error
  kTimeout,
};

struct Failure {
  FailureKind kind = FailureKind::kConnection;
  std::string message;
};

template <typename T>
using CallResult = tl::expected<T, Failure>;

enum class WireDirection { kSent, kReceived };
/// Sees every line that goes over the wire, without its end.
using WireTap = std::function<void(WireDirection, std::string_view line)>;

/// One connection, past its negotiation, so events flow from Connect() on and none is lost: those
/// that arrive while an answer is awaited are kept for NextEvent(). One thread.
class QmpClient {
 public:
  static CallResult<QmpClient> Connect(const std::string& path, Deadline deadline,
                                       WireTap tap = {});

  /// The answer's "return" member.
  CallResult<Json> Execute(const std::string& command, Json arguments, Deadline deadline);
  /// Sends `request` as it is (an object), gives the whole answer, which may be an error.
  CallResult<Json> Call(const Json& request, Deadline deadline);
  /// The oldest event not yet taken. nullopt: the deadline came first.
  CallResult<std::optional<Json>> NextEvent(Deadline deadline);
  /// To poll for input. What has been read already does not show there: NextEvent() first.
  int fd() const { return fd_.get(); }

 private:
  QmpClient(UniqueFd fd, WireTap tap) : fd_(std::move(fd)), tap_(std::move(tap)) {}
  CallResult<void> Send(const std::string& text, Deadline deadline);
  CallResult<std::optional<Json>> ReadMessage(Deadline deadline);
  CallResult<Json> ReadAnswer(Deadline deadline);
  CallResult<bool> WaitFor(short poll_events, Deadline deadline);
  void Note(WireDirection direction, std::string_view line) const;
  tl::unexpected<Failure> Gone() const;

  UniqueFd fd_;
  WireTap tap_;
  std::string input_;
  std::size_t scanned_ = 0;  // of input_: no line end before this
  std::deque<Json> events_;
  std::string last_words_;  // what the VM said on its way out, if it did
};

}  // namespace tidevm::tidectl
