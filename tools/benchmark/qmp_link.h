// A QMP connection that notes when each message arrived, and looks into them as little as it can:
// on a host with one CPU, what the observer does is taken from the guest.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::benchmark {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

/// One line of the other side's.
struct QmpMessage {
  std::string text;
  Clock::time_point arrived;

  /// Whether it is the event `name`; read off the text.
  bool IsEvent(std::string_view name) const;
  /// Whether it is the good, or the bad, answer to a command that had no id.
  bool IsReturn() const { return text.starts_with("{\"return\""); }
  bool IsError() const { return text.starts_with("{\"error\""); }
};

/// An ACPI_DEVICE_OST event's source and status; nullopt for any other message.
struct Ost {
  std::int64_t source = 0;
  std::int64_t status = 0;
};
std::optional<Ost> ParseOst(const QmpMessage& message);

/// Cuts lines out of pieces, each with the time of the piece that ended it.
class QmpMessages {
 public:
  void Append(std::string_view piece, Clock::time_point now);
  const std::vector<QmpMessage>& all() const { return all_; }

 private:
  std::string rest_;
  std::vector<QmpMessage> all_;
};

/// One thread.
class QmpLink {
 public:
  /// Connects, and negotiates nothing yet.
  static Result<QmpLink> Connect(const std::string& path);

  /// Sends commands in one piece, so that the VM need not wait for the next.
  Result<void> Send(const std::vector<Json>& commands);

  /// Takes what has arrived; does not wait.
  void ReadWhatIsThere();
  const std::vector<QmpMessage>& messages() const { return messages_.all(); }

  /// To poll for input; -1 once the VM has closed it.
  int fd() const { return fd_.get(); }

 private:
  explicit QmpLink(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  QmpMessages messages_;
};

}  // namespace tidevm::benchmark
