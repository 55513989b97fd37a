// A running tidevm with a Linux guest, seen from three sides: what the guest says of itself, what
// the host's task list shows, what the control socket answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest-tests/harness/child_process.h"
#include "guest-tests/harness/ordinary_user.h"
#include "tidevm/cpu_set.h"
#include "tidevm/result.h"
#include "tools/tidectl/qmp_client.h"

namespace tidevm::guest_tests {

using tidectl::Json;

/// How long anything may take. Emulated hosts are slow, and machines are loaded: this is for
/// telling a hang, not for measuring. TIDEVM_TEST_PATIENCE, in seconds, where hangs are expected.
std::chrono::seconds Patience();
inline const std::chrono::seconds kPatience = Patience();

/// Where the program and the guest's files are.
struct Files {
  std::string tidevm;
  std::string kernel;
  std::string initrd;
};

/// From TIDEVM_BIN, TIDEVM_GUEST_KERNEL and TIDEVM_GUEST_INITRD; the error names what is missing.
Result<Files> FilesFromEnvironment();

struct VmSettings {
  std::string cpus = "boot=1,max=4";
  std::string memory = "256M";
  std::string extra_cmdline{};
  bool initrd = true;
  std::vector<std::string> more_arguments{};
  /// Without a log to read, what the guest prints tells that the VM has started.
  ChildSettings process{};
  /// Before the command: something that runs it in its own place.
  std::vector<std::string> wrapper{};
  bool as_user = AsUserWanted();  // AsOrdinaryUser()
  /// Control socket, kernel and initrd are passed as the descriptors 3, 4 and 5; this is the value
  /// of --control then.
  std::string passed_control{};
};

/// The guest init's answer to one question.
struct Answer {
  int status = 0;
  std::vector<std::string> lines;
  std::string first() const { return lines.empty() ? "" : lines.front(); }
};

/// One operation, from the control socket's events.
struct OperationEnd {
  std::uint64_t id = 0;
  CpuId cpu = 0;
  std::string kind;
  std::string outcome;
  std::string reason;
  std::vector<std::pair<std::string, std::chrono::nanoseconds>> phases;
};

/// One thread.
class GuestVm {
 public:
  /// Starts tidevm and connects to its control socket. The guest may still be booting.
  static Result<std::unique_ptr<GuestVm>> Start(const Files& files, const VmSettings& settings);
  ~GuestVm();
  GuestVm(const GuestVm&) = delete;
  GuestVm& operator=(const GuestVm&) = delete;

  /// Waits for the guest init's next READY.
  Result<void> WaitReady();
  /// Waits for a line of console output, from the last one looked at on, that contains `text`.
  Result<std::string> WaitForConsole(std::string_view text);
  /// The same without waiting: whether there is one by now.
  bool SawOnConsole(std::string_view text);
  Result<Answer> Ask(const std::string& question);
  /// A question that the guest answers by going away.
  Result<void> Tell(const std::string& question);

  Result<Json> Execute(const std::string& command, Json arguments = Json::object());
  /// The next event. nullopt: the deadline came first.
  Result<std::optional<Json>> NextEvent(Clock::time_point deadline);
  /// Takes events until one is called `name`.
  Result<Json> WaitForEvent(const std::string& name);
  Result<Json> WaitForEvent(const std::string& name, Clock::time_point deadline);
  /// set-vcpus, and waits until all that it started has ended.
  Result<std::vector<OperationEnd>> SetVcpus(const Json& arguments);
  /// Waits for the end of the operations with these ids.
  Result<std::vector<OperationEnd>> WaitForOperations(std::vector<std::uint64_t> ids);

  /// The three views, in the host's CPU ids. The guest's is what its init says; wanted and
  /// registered, too, are the control socket's word.
  Result<CpuSet> GuestOnline();
  Result<CpuSet> GuestPresent();
  /// Waits until the guest has exactly `set` online.
  Result<void> WaitGuestOnline(const CpuSet& set);
  CpuSet HostThreads() const;
  Result<CpuSet> ControlPresent();
  std::size_t open_descriptors() const;
  std::size_t all_threads() const;

  /// Records of the guest's log that are warnings or worse.
  Result<std::vector<std::string>> GuestWarnings();

  Result<int> WaitForExit();
  ChildProcess& process() { return *process_; }
  const std::string& control_path() const { return control_path_; }

 private:
  GuestVm() = default;
  Result<void> Connect();
  std::optional<std::string> ReadConsole(std::string_view text, Clock::time_point deadline);
  tl::unexpected<Error> Lost(std::string_view waiting_for) const;
  Result<CpuSet> AskCpuList(const std::string& question);

  std::optional<ChildProcess> process_;
  std::string directory_;
  std::string control_path_;
  std::optional<tidectl::QmpClient> client_;
  std::size_t console_position_ = 0;  // next line of output that WaitForConsole looks at
  unsigned last_question_ = 0;
};

}  // namespace tidevm::guest_tests
