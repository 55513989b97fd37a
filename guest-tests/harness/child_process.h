// A program under test: started, read line by line, waited for; every wait has a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::guest_tests {

using Clock = std::chrono::steady_clock;

/// What is not as usual.
struct ChildSettings {
  std::vector<std::string> environment{};  // "NAME=value", beside ours or instead of it
  std::string output_path{};               // stdout goes to this file instead of the pipe
  std::string errors_path{};               // and stderr to this one
  std::vector<int> passed{};               // the child has these as its descriptors 3, 4 and so on
};

/// One child with pipes on all three standard descriptors. One thread. Killed when it goes out of
/// scope and still runs.
class ChildProcess {
 public:
  static Result<ChildProcess> Start(const std::vector<std::string>& command,
                                    const ChildSettings& settings = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }

  /// Reads what comes until `satisfied` says so; it is asked after every piece of output. False:
  /// the deadline came first, or both outputs have ended. It is also asked when `also`, a
  /// descriptor of the caller's, is readable, and has to read from that itself.
  bool ReadUntil(const std::function<bool()>& satisfied, Clock::time_point deadline, int also = -1);

  Result<void> Write(std::string_view text);
  void Signal(int number) const;
  /// Nobody reads there any more: what the child writes ends in EPIPE.
  void CloseOutput() { output_.fd.Reset(); }
  void CloseErrors() { errors_.fd.Reset(); }

  /// Reads on until the child has ended. nullopt: it still runs at the deadline. The answer is the
  /// exit status, or 128 + the signal's number.
  std::optional<int> WaitForExit(Clock::time_point deadline);

  /// Whole lines, without their ends. The last piece without an end is in *_rest.
  const std::vector<std::string>& output() const { return output_.lines; }
  /// When the end of each of them was read.
  const std::vector<Clock::time_point>& output_times() const { return output_.times; }
  const std::vector<std::string>& errors() const { return errors_.lines; }
  /// Everything, for the report of a failure.
  std::string Transcript() const;

 private:
  struct Stream {
    UniqueFd fd;
    std::vector<std::string> lines;
    std::vector<Clock::time_point> times;  // of lines
    std::string rest;
    void Append(std::string_view text);
    void ReadSome();
  };

  ChildProcess() = default;

  pid_t pid_ = -1;
  UniqueFd pid_fd_;
  UniqueFd input_;
  Stream output_;
  Stream errors_;
  std::optional<int> exit_status_;
};

}  // namespace tidevm::guest_tests
