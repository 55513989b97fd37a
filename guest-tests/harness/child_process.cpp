#include "guest-tests/harness/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace tidevm::guest_tests {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
    return FailErrno(errno, "pipe");
  }
  return Pipe{.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('=') + 1);
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(std::vector<std::string> variables) {
  const std::size_t given = variables.size();
  for (char** at = environ; *at != nullptr; ++at) {
    const bool is_given =
        std::any_of(variables.begin(), variables.begin() + std::ptrdiff_t(given),
                    [at](const std::string& variable) { return NameOf(variable) == NameOf(*at); });
    if (!is_given) {
      variables.emplace_back(*at);
    }
  }
  return variables;
}

}  // namespace

Result<ChildProcess> ChildProcess::Start(const std::vector<std::string>& command,
                                         const ChildSettings& settings) {
  auto input = MakePipe();
  auto output = MakePipe();
  auto errors = MakePipe();
  if (!input || !output || !errors) {
    return Fail(ErrorCode::kIo, "pipes for {}", command.front());
  }
  const std::vector<char*> argv = Pointers(command);
  const std::vector<std::string> environment = EnvironmentWith(settings.environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input->read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output->write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors->write.get(), STDERR_FILENO);
  for (const auto& [fd, path] :
       {std::pair{STDOUT_FILENO, settings.output_path}, {STDERR_FILENO, settings.errors_path}}) {
    if (!path.empty()) {
      posix_spawn_file_actions_addopen(&actions, fd, path.c_str(), O_WRONLY, 0);
    }
  }
  // From numbers that are no other one's target.
  constexpr int kOutOfTheWay = 100;
  std::vector<UniqueFd> copies;
  for (const int fd : settings.passed) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    posix_spawn_file_actions_adddup2(&actions, copies.back().get(),
                                     STDERR_FILENO + static_cast<int>(copies.size()));
  }
  ChildProcess child;
  const int error = ::posix_spawn(&child.pid_, command.front().c_str(), &actions, nullptr,
                                  argv.data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return FailErrno(error, "starting {}", command.front());
  }
  child.pid_fd_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  child.input_ = std::move(input->write);
  child.output_.fd = std::move(output->read);
  child.errors_.fd = std::move(errors->read);
  for (const int fd : {child.output_.fd.get(), child.errors_.fd.get()}) {
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pid_fd_(std::move(other.pid_fd_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      exit_status_(other.exit_status_) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0 && !exit_status_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void ChildProcess::Stream::Append(std::string_view text) {
  const Clock::time_point now = Clock::now();
  for (const char letter : text) {
    if (letter == '\n') {
      lines.push_back(std::exchange(rest, {}));
      times.push_back(now);
    } else if (letter != '\r') {
      rest += letter;
    }
  }
}

void ChildProcess::Stream::ReadSome() {
  std::array<char, 16384> buffer{};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got > 0) {
    Append({buffer.data(), static_cast<std::size_t>(got)});
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    fd.Reset();
  }
}

bool ChildProcess::ReadUntil(const std::function<bool()>& satisfied, Clock::time_point deadline,
                             int also) {
  while (!satisfied()) {
    std::array polled{pollfd{.fd = output_.fd.get(), .events = POLLIN, .revents = 0},
                      pollfd{.fd = errors_.fd.get(), .events = POLLIN, .revents = 0},
                      pollfd{.fd = also, .events = POLLIN, .revents = 0}};
    if (!output_.fd.valid() && !errors_.fd.valid()) {
      return false;
    }
    const int ready = ::poll(polled.data(), polled.size(), MillisecondsUntil(deadline));
    if (ready == 0) {
      return false;
    }
    if (polled[0].revents != 0) {
      output_.ReadSome();
    }
    if (polled[1].revents != 0) {
      errors_.ReadSome();
    }
  }
  return true;
}

Result<void> ChildProcess::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(input_.get(), text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return FailErrno(errno, "writing to the child");
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, written)));
  }
  return {};
}

void ChildProcess::Signal(int number) const { ::kill(pid_, number); }

std::optional<int> ChildProcess::WaitForExit(Clock::time_point deadline) {
  if (exit_status_) {
    return exit_status_;
  }
  // To the end of both outputs, which is the end of the child or close to it.
  ReadUntil([] { return false; }, deadline);
  pollfd ended{.fd = pid_fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, MillisecondsUntil(deadline)) <= 0) {
    return std::nullopt;
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_status_;
}

std::string ChildProcess::Transcript() const {
  std::string text = "--- stdout\n";
  for (const std::string& line : output_.lines) {
    text += line + "\n";
  }
  text += output_.rest + "\n--- stderr\n";
  for (const std::string& line : errors_.lines) {
    text += line + "\n";
  }
  return text + errors_.rest + "\n---\n";
}

}  // namespace tidevm::guest_tests
