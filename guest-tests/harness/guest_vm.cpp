#include "guest-tests/harness/guest_vm.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

namespace tidevm::guest_tests {
namespace {

namespace fs = std::filesystem;

Clock::time_point Deadline() { return Clock::now() + kPatience; }

Result<std::string> Environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    return Fail(ErrorCode::kNotFound, "{} is not set; run this through ci/test or tools/quickstart",
                name);
  }
  return std::string(value);
}

template <typename T>
Result<T> FromCall(tidectl::CallResult<T> result, std::string_view doing) {
  if (!result) {
    return Fail(ErrorCode::kIo, "{}: {}", doing, result.error().message);
  }
  return std::move(*result);
}

/// Appends the lines of one connection to the file that TIDEVM_WIRE_LOG names, if it does: "> "
/// and what was sent, "< " and what came.
tidectl::WireTap WireLog() {
  const char* const path = std::getenv("TIDEVM_WIRE_LOG");
  if (path == nullptr || *path == '\0') {
    return {};
  }
  std::error_code failed;  // to make the folder, or as the file would then show, to open it
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  const auto file = std::make_shared<std::ofstream>(path, std::ios::app);
  return [file](tidectl::WireDirection direction, std::string_view line) {
    *file << (direction == tidectl::WireDirection::kSent ? "> " : "< ") << line << std::endl;
  };
}

Result<UniqueFd> ListenAt(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1) != 0) {
    return FailErrno(errno, "a control socket to pass at {}", path);
  }
  return fd;
}

Result<UniqueFd> OpenToPass(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return FailErrno(errno, "{}", path);
  }
  return fd;
}

/// The options that name files, and what is passed to tidevm for them.
struct FileArguments {
  std::vector<std::string> words;
  std::vector<UniqueFd> passed;
};

Result<FileArguments> FileArgumentsOf(const Files& files, const VmSettings& settings,
                                      const std::string& control_path) {
  FileArguments arguments;
  if (settings.passed_control.empty()) {
    arguments.words = {"--control", control_path, "--kernel", files.kernel};
    if (settings.initrd) {
      arguments.words.insert(arguments.words.end(), {"--initrd", files.initrd});
    }
    return arguments;
  }
  for (auto& fd : {ListenAt(control_path), OpenToPass(files.kernel), OpenToPass(files.initrd)}) {
    if (!fd) {
      return tl::make_unexpected(fd.error());
    }
    // A list of initialisers cannot be moved from.
    arguments.passed.emplace_back(::fcntl(fd->get(), F_DUPFD_CLOEXEC, 3));
  }
  arguments.words = {"--control", settings.passed_control, "--kernel", "fd:4", "--initrd", "fd:5"};
  return arguments;
}

}  // namespace

std::chrono::seconds Patience() {
  const char* const seconds = std::getenv("TIDEVM_TEST_PATIENCE");
  return std::chrono::seconds(seconds == nullptr ? 180 : std::atoi(seconds));
}

Result<Files> FilesFromEnvironment() {
  Files files;
  for (const auto& [name, into] : {std::pair{"TIDEVM_BIN", &files.tidevm},
                                   {"TIDEVM_GUEST_KERNEL", &files.kernel},
                                   {"TIDEVM_GUEST_INITRD", &files.initrd}}) {
    auto value = Environment(name);
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    *into = std::move(*value);
  }
  return files;
}

Result<std::unique_ptr<GuestVm>> GuestVm::Start(const Files& files, const VmSettings& settings) {
  std::string directory = fs::temp_directory_path() / "tidevm-test-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    return FailErrno(errno, "a folder for the control socket");
  }
  std::unique_ptr<GuestVm> vm(new GuestVm);
  vm->directory_ = directory;
  vm->control_path_ = directory + "/control.sock";
  std::string cmdline = "console=ttyS0 quiet";
  if (!settings.extra_cmdline.empty()) {
    cmdline += " " + settings.extra_cmdline;
  }
  const auto file_arguments = FileArgumentsOf(files, settings, vm->control_path_);
  if (!file_arguments) {
    return tl::make_unexpected(file_arguments.error());
  }
  std::vector<std::string> command{files.tidevm,  "--cmdline", cmdline,        "--cpus",
                                   settings.cpus, "--memory",  settings.memory};
  for (const auto* words : {&file_arguments->words, &settings.more_arguments}) {
    command.insert(command.end(), words->begin(), words->end());
  }
  command.insert(command.begin(), settings.wrapper.begin(), settings.wrapper.end());
  if (settings.as_user) {
    if (auto given = GiveToOrdinaryUser(directory); !given) {
      return tl::make_unexpected(std::move(given.error()));
    }
    command = AsOrdinaryUser(std::move(command));
  }
  ChildSettings process_settings = settings.process;
  for (const UniqueFd& fd : file_arguments->passed) {
    process_settings.passed.push_back(fd.get());
  }
  auto process = ChildProcess::Start(command, process_settings);
  if (!process) {
    return tl::make_unexpected(std::move(process.error()));
  }
  vm->process_.emplace(std::move(*process));
  if (auto connected = vm->Connect(); !connected) {
    return tl::make_unexpected(std::move(connected.error()));
  }
  return vm;
}

GuestVm::~GuestVm() {
  std::error_code ignored;
  process_.reset();
  fs::remove_all(directory_, ignored);
}

/// tidevm logs a line when its socket is open and the guest starts.
Result<void> GuestVm::Connect() {
  const bool started = process_->ReadUntil(
      [this] {
        return !process_->output().empty() ||
               std::ranges::any_of(process_->errors(), [](const std::string& line) {
                 return line.find(" vCPUs, ") != std::string::npos;
               });
      },
      Deadline());
  if (!started) {
    return Lost("its start");
  }
  auto client =
      FromCall(tidectl::QmpClient::Connect(control_path_, Deadline(), WireLog()), "control socket");
  if (!client) {
    return tl::make_unexpected(std::move(client.error()));
  }
  client_.emplace(std::move(*client));
  return {};
}

tl::unexpected<Error> GuestVm::Lost(std::string_view waiting_for) const {
  return Fail(ErrorCode::kIo, "tidevm did not come to {}\n{}", waiting_for, process_->Transcript());
}

std::optional<std::string> GuestVm::ReadConsole(std::string_view text, Clock::time_point deadline) {
  const std::vector<std::string>& lines = process_->output();
  std::optional<std::string> found;
  process_->ReadUntil(
      [&] {
        while (!found && console_position_ < lines.size()) {
          const std::string& line = lines[console_position_++];
          if (line.find(text) != std::string::npos) {
            found = line;
          }
        }
        return found.has_value();
      },
      deadline);
  return found;
}

Result<std::string> GuestVm::WaitForConsole(std::string_view text) {
  auto line = ReadConsole(text, Deadline());
  if (!line) {
    return Lost(fmt::format("print \"{}\"", text));
  }
  return std::move(*line);
}

bool GuestVm::SawOnConsole(std::string_view text) {
  return ReadConsole(text, Clock::now()).has_value();
}

Result<void> GuestVm::WaitReady() {
  return WaitForConsole("@tidevm READY").map([](const std::string&) {});
}

Result<void> GuestVm::Tell(const std::string& question) {
  return process_->Write(fmt::format("ask {} {}\n", ++last_question_, question));
}

Result<Answer> GuestVm::Ask(const std::string& question) {
  if (auto told = Tell(question); !told) {
    return tl::make_unexpected(std::move(told.error()));
  }
  const std::string prefix = fmt::format("@{} ", last_question_);
  Answer answer;
  while (true) {
    auto line = WaitForConsole(prefix);
    if (!line) {
      return tl::make_unexpected(std::move(line.error()));
    }
    const std::string text = line->substr(line->find(prefix) + prefix.size());
    if (text.starts_with("end ")) {
      answer.status = std::atoi(text.c_str() + 4);
      return answer;
    }
    answer.lines.push_back(text);
  }
}

Result<Json> GuestVm::Execute(const std::string& command, Json arguments) {
  return FromCall(client_->Execute(command, std::move(arguments), Deadline()), command);
}

Result<Json> GuestVm::WaitForEvent(const std::string& name) {
  return WaitForEvent(name, Deadline());
}

Result<std::optional<Json>> GuestVm::NextEvent(Clock::time_point deadline) {
  return FromCall(client_->NextEvent(deadline), "waiting for an event");
}

Result<Json> GuestVm::WaitForEvent(const std::string& name, Clock::time_point deadline) {
  while (true) {
    auto event = NextEvent(deadline);
    if (!event) {
      return tl::make_unexpected(std::move(event.error()));
    }
    if (!*event) {
      return Lost("the event " + name);
    }
    if ((**event)["event"] == name) {
      return std::move(**event);
    }
  }
}

Result<std::vector<OperationEnd>> GuestVm::SetVcpus(const Json& arguments) {
  const auto result = Execute("set-vcpus", arguments);
  if (!result) {
    return tl::make_unexpected(result.error());
  }
  std::vector<std::uint64_t> ids;
  for (const Json& operation : (*result)["operations"]) {
    ids.push_back(operation["id"]);
  }
  return WaitForOperations(std::move(ids));
}

Result<std::vector<OperationEnd>> GuestVm::WaitForOperations(std::vector<std::uint64_t> ids) {
  // The events tell when; what is reported is read in one piece.
  const Clock::time_point deadline = Deadline();
  while (true) {
    const auto all = Execute("query-vcpu-operations");
    if (!all) {
      return tl::make_unexpected(all.error());
    }
    std::vector<OperationEnd> ended;
    for (const Json& operation : *all) {
      if (std::ranges::find(ids, operation["id"].get<std::uint64_t>()) == ids.end() ||
          operation["outcome"] == "pending") {
        continue;
      }
      OperationEnd end{.id = operation["id"],
                       .cpu = operation["cpu"],
                       .kind = operation["kind"],
                       .outcome = operation["outcome"],
                       .reason = operation.value("reason", ""),
                       .phases = {}};
      for (const Json& phase : operation["phases"]) {
        end.phases.emplace_back(
            phase["phase"].get<std::string>(),
            std::chrono::nanoseconds(phase["since-request-ns"].get<std::int64_t>()));
      }
      ended.push_back(std::move(end));
    }
    if (ended.size() == ids.size()) {
      return ended;
    }
    std::set<std::uint64_t> pending(ids.begin(), ids.end());
    for (const OperationEnd& end : ended) {
      pending.erase(end.id);
    }
    while (!pending.empty()) {
      const auto event = WaitForEvent("VCPU_OPERATION", deadline);
      if (!event) {
        return tl::make_unexpected(event.error());
      }
      const Json& data = (*event)["data"];
      if (data["outcome"] != "pending") {
        pending.erase(data["id"].get<std::uint64_t>());
      }
    }
  }
}

Result<CpuSet> GuestVm::AskCpuList(const std::string& question) {
  const auto answer = Ask(question);
  if (!answer) {
    return tl::make_unexpected(answer.error());
  }
  return CpuSet::Parse(answer->first(), 8192);
}

Result<CpuSet> GuestVm::GuestOnline() { return AskCpuList("acpi-online"); }
Result<CpuSet> GuestVm::GuestPresent() { return AskCpuList("acpi-present"); }

Result<void> GuestVm::WaitGuestOnline(const CpuSet& set) {
  const auto answer = Ask(fmt::format("wait-online {} {}", set.ToString(),
                                      std::chrono::milliseconds(kPatience / 2).count()));
  if (!answer) {
    return tl::make_unexpected(answer.error());
  }
  if (answer->status != 0) {
    return Fail(ErrorCode::kIo, "the guest did not come to have {} online: {}", set.ToString(),
                answer->first());
  }
  return {};
}

CpuSet GuestVm::HostThreads() const {
  CpuSet set;
  for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", process_->pid()))) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    std::getline(file, name);
    if (name.starts_with("vcpu-")) {
      set.Insert(static_cast<CpuId>(std::atoi(name.c_str() + 5)));
    }
  }
  return set;
}

std::size_t GuestVm::all_threads() const {
  const fs::directory_iterator tasks(fmt::format("/proc/{}/task", process_->pid()));
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::size_t GuestVm::open_descriptors() const {
  const fs::directory_iterator fds(fmt::format("/proc/{}/fd", process_->pid()));
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

Result<CpuSet> GuestVm::ControlPresent() {
  const auto vcpus = Execute("query-vcpus");
  if (!vcpus) {
    return tl::make_unexpected(vcpus.error());
  }
  CpuSet set;
  for (const Json& vcpu : *vcpus) {
    if (vcpu["acpi-present"].get<bool>() && vcpu["wanted"].get<bool>()) {
      set.Insert(vcpu["cpu"].get<CpuId>());
    }
  }
  return set;
}

Result<std::vector<std::string>> GuestVm::GuestWarnings() {
  return Ask("dmesg 4").map([](const Answer& answer) { return answer.lines; });
}

Result<int> GuestVm::WaitForExit() {
  const auto status = process_->WaitForExit(Deadline());
  if (!status) {
    return Lost("its end");
  }
  return *status;
}

}  // namespace tidevm::guest_tests
