// One running VM of any of the systems, watched through the same two windows: the guest's serial
// line and the QMP socket. Everything that arrives has the time of its arrival.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest-tests/harness/child_process.h"
#include "tidevm/result.h"
#include "tools/benchmark/qmp_link.h"
#include "tools/benchmark/system.h"

namespace tidevm::benchmark {

/// Tells a hang, measures nothing.
inline constexpr std::chrono::seconds kPatience{300};

struct StampedLine {
  std::string_view text;
  Clock::time_point arrived;
};

/// One thread. The VM is killed when it goes out of scope and still runs.
class MeasuredVm {
 public:
  static Result<std::unique_ptr<MeasuredVm>> Start(System system, const Programs& programs,
                                                   const Shape& shape,
                                                   const std::string& directory);

  System system() const { return system_; }
  pid_t pid() const { return process_.pid(); }
  /// The instant before the process was started.
  Clock::time_point started() const { return started_; }

  /// How many lines and messages there are: a place to look from later on.
  struct Mark {
    std::size_t line = 0;
    std::size_t message = 0;
  };
  Mark mark() const;
  std::vector<StampedLine> LinesSince(const Mark& mark) const;
  std::span<const QmpMessage> MessagesSince(const Mark& mark) const;

  /// Reads until `satisfied`, which is asked after each arrival, is. The error is for `what`.
  Result<void> WaitUntil(std::string_view what, const std::function<bool()>& satisfied);
  /// Only reads, for so long; less if the VM ends.
  void Watch(std::chrono::milliseconds duration);

  /// Asks the guest's init; the lines of its answer. An answer that says "failed" is an error.
  Result<std::vector<std::string>> Ask(const std::string& question);

  /// Connects to the control socket, once the VM is up.
  Result<void> OpenControl();
  Result<void> Send(const std::vector<Json>& commands) { return link_->Send(commands); }
  /// One command; its answer.
  Result<Json> Execute(const std::string& command, Json arguments = Json::object());

  /// Ends the VM at once, and waits for its end.
  Result<void> Quit();

 private:
  MeasuredVm(System system, guest_tests::ChildProcess process, Clock::time_point started,
             std::string control)
      : system_(system),
        process_(std::move(process)),
        started_(started),
        control_(std::move(control)) {}

  int control_fd() const { return link_ ? link_->fd() : -1; }
  bool control_closed() const { return link_ && link_->fd() < 0; }

  System system_;
  guest_tests::ChildProcess process_;
  Clock::time_point started_;
  std::string control_;
  std::optional<QmpLink> link_;
  unsigned last_question_ = 0;
  unsigned last_command_ = 0;
};

}  // namespace tidevm::benchmark
