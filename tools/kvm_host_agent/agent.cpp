// Runs in the emulated host, as its process 1: sets the host up, then takes files and runs one
// command at a time for tools/kvm-host, which talks to it over a virtio-serial port.
//
// One thread, one poll loop. When the client goes away, everything that it started is killed.

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "protocol.h"
#include "setup.h"

namespace tidevm::host_agent {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

std::string Errno() { return strerror(errno); }

class Agent {
 public:
  explicit Agent(int port) : port_(port) {}
  [[noreturn]] void Run();

 private:
  void OnPort(short events);
  void OnSignals();
  void OnOutput(int* fd, Frame type);
  void Parse();
  void HandleFrame(Frame type, std::string_view payload);
  void Execute(std::string_view payload);
  [[noreturn]] void RunChild(const std::string& cwd, std::vector<std::string> environment,
                             std::vector<std::string> arguments, int out, int error);
  void FinishCommand(int status);
  void Reset();
  void Send(Frame type, std::string_view payload) const;
  void Fail(std::string_view sentence);

  int port_;
  int signals_ = -1;
  bool connected_ = true;  // to be found out by the first poll
  bool in_session_ = false;
  std::string input_;
  std::optional<FileReceiver> receiver_;
  pid_t child_ = -1;
  int out_ = -1;
  int error_ = -1;
};

void WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t done = write(fd, data.data(), data.size());
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      return;  // the client is gone; the poll loop will see that
    }
    data.remove_prefix(done);
  }
}

void CloseFd(int* fd) {
  if (*fd >= 0) {
    close(*fd);
  }
  *fd = -1;
}

// As process 1, kill(-1) reaches all but ourselves.
void KillEverything() {
  kill(-1, SIGKILL);
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

void Agent::Send(Frame type, std::string_view payload) const {
  do {
    const std::string_view part = payload.substr(0, kMaxPayload);
    payload.remove_prefix(part.size());
    const auto size = static_cast<uint32_t>(part.size());
    std::string frame(reinterpret_cast<const char*>(&size), sizeof(size));
    frame += static_cast<char>(type);
    frame += part;
    WriteAll(port_, frame);
  } while (!payload.empty());
}

void Agent::Fail(std::string_view sentence) {
  Send(Frame::kError, sentence);
  Reset();
}

void Agent::Reset() {
  KillEverything();
  child_ = -1;
  CloseFd(&out_);
  CloseFd(&error_);
  receiver_.reset();
  in_session_ = false;
}

void Agent::Run() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGIO);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  // A port without a client is always "readable" (end of file): it is left out of the poll set, and
  // SIGIO says when a client comes.
  fcntl(port_, F_SETOWN, getpid());
  fcntl(port_, F_SETFL, fcntl(port_, F_GETFL) | O_ASYNC | O_NONBLOCK);
  fcntl(port_, F_SETFL, fcntl(port_, F_GETFL) & ~O_NONBLOCK);

  while (true) {
    std::array<pollfd, 4> fds = {{
        {.fd = signals_, .events = POLLIN, .revents = 0},
        {.fd = connected_ ? port_ : -1, .events = POLLIN, .revents = 0},
        {.fd = out_, .events = POLLIN, .revents = 0},
        {.fd = error_, .events = POLLIN, .revents = 0},
    }};
    if (poll(fds.data(), fds.size(), -1) < 0) {
      continue;
    }
    if (fds[2].revents != 0) {
      OnOutput(&out_, Frame::kStdout);
    }
    if (fds[3].revents != 0) {
      OnOutput(&error_, Frame::kStderr);
    }
    if (fds[0].revents != 0) {
      OnSignals();
    }
    if (fds[1].revents != 0) {
      OnPort(fds[1].revents);
    }
  }
}

void Agent::OnSignals() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGIO) {
      connected_ = true;
    }
  }
  int status = 0;
  while (const pid_t pid = waitpid(-1, &status, WNOHANG)) {
    if (pid < 0) {
      break;
    }
    if (pid == child_) {
      FinishCommand(status);
      break;  // its relatives have been reaped there
    }
  }
}

void Agent::OnPort(short events) {
  std::array<char, kChunk> buffer;
  // With POLLHUP there may still be bytes of a client that is gone; they are of no use.
  const ssize_t got = (events & POLLIN) != 0 ? read(port_, buffer.data(), buffer.size()) : 0;
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
    return;
  }
  if (got <= 0 || (events & POLLHUP) != 0) {
    if (got <= 0) {
      connected_ = false;
    }
    Reset();
    input_.clear();
    return;
  }
  input_.append(buffer.data(), got);
  Parse();
}

void Agent::Parse() {
  size_t at = 0;
  while (true) {
    const std::string_view rest = std::string_view(input_).substr(at);
    if (!in_session_) {
      const size_t sync = rest.find(kSync);
      if (sync == std::string_view::npos) {
        // What could be the beginning of a sync stays.
        if (rest.size() >= kSync.size()) {
          at += rest.size() - kSync.size() + 1;
        }
        break;
      }
      if (rest.size() < sync + kSync.size() + kNonceSize) {
        at += sync;
        break;
      }
      Reset();
      in_session_ = true;
      Send(Frame::kHello, rest.substr(sync + kSync.size(), kNonceSize));
      at += sync + kSync.size() + kNonceSize;
      continue;
    }
    if (rest.size() < kFrameHeaderSize) {
      break;
    }
    uint32_t size = 0;
    memcpy(&size, rest.data(), sizeof(size));
    if (size > kMaxPayload) {
      Reset();
      continue;
    }
    if (rest.size() < kFrameHeaderSize + size) {
      break;
    }
    HandleFrame(static_cast<Frame>(rest[4]), rest.substr(kFrameHeaderSize, size));
    at += kFrameHeaderSize + size;
  }
  input_.erase(0, at);
}

void Agent::HandleFrame(Frame type, std::string_view payload) {
  switch (type) {
    case Frame::kManifest: {
      if (!receiver_) {
        receiver_.emplace();
      }
      if (const std::string error = receiver_->AddManifest(payload); !error.empty()) {
        Fail(error);
      }
      return;
    }
    case Frame::kManifestEnd:
      if (!receiver_) {
        receiver_.emplace();
      }
      Send(Frame::kWanted, receiver_->FinishManifest());
      return;
    case Frame::kData: {
      if (!receiver_) {
        return Fail("data without a manifest");
      }
      if (const std::string error = receiver_->AddData(payload); !error.empty()) {
        Fail(error);
      }
      return;
    }
    case Frame::kExecute:
      return Execute(payload);
    case Frame::kSignal:
      if (child_ > 0 && !payload.empty()) {
        kill(-child_, payload[0]);
      }
      return;
    case Frame::kPing:
      return Send(Frame::kPong, {});
    case Frame::kGet: {
      const auto send = [this](char frame, std::string_view part) {
        Send(static_cast<Frame>(frame), part);
      };
      const std::string error = SendTree(std::string(payload), send);
      return Send(Frame::kGetEnd, error);
    }
    default:
      // Not from this session: look for the next client's sync.
      Reset();
  }
}

std::vector<std::string> SplitStrings(std::string_view text) {
  std::vector<std::string> strings;
  for (size_t end = text.find('\0'); end != std::string_view::npos; end = text.find('\0')) {
    strings.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return strings;
}

void Agent::Execute(std::string_view payload) {
  uint32_t environment_count = 0;
  if (payload.size() < sizeof(environment_count)) {
    return Fail("bad execute frame");
  }
  memcpy(&environment_count, payload.data(), sizeof(environment_count));
  const std::vector<std::string> strings = SplitStrings(payload.substr(sizeof(environment_count)));
  if (strings.size() < size_t{environment_count} + 2) {
    return Fail("bad execute frame");
  }
  if (child_ > 0) {
    return Fail("a command is running already");
  }
  // Files of no bytes come without a data frame.
  if (receiver_) {
    const std::string error = receiver_->AddData("");
    if (!error.empty() || !receiver_->complete()) {
      return Fail("files incomplete: " + error);
    }
    receiver_.reset();
  }

  int out[2];
  int error[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(error, O_CLOEXEC) != 0) {
    return Fail("pipe: " + Errno());
  }
  child_ = fork();
  if (child_ < 0) {
    return Fail("fork: " + Errno());
  }
  if (child_ == 0) {
    const auto first_argument = strings.begin() + 1 + environment_count;
    RunChild(strings[0], {strings.begin() + 1, first_argument}, {first_argument, strings.end()},
             out[1], error[1]);
  }
  setpgid(child_, child_);
  close(out[1]);
  close(error[1]);
  out_ = out[0];
  error_ = error[0];
  fcntl(out_, F_SETFL, O_NONBLOCK);
  fcntl(error_, F_SETFL, O_NONBLOCK);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

void Agent::RunChild(const std::string& cwd, std::vector<std::string> environment,
                     std::vector<std::string> arguments, int out, int error) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
  if (nothing > STDERR_FILENO) {
    close(nothing);
  }
  const rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (!MakeFolders(cwd) || chdir(cwd.c_str()) != 0) {
    dprintf(STDERR_FILENO, "kvm-host: cannot enter folder %s: %s\n", cwd.c_str(), strerror(errno));
    _exit(126);
  }
  clearenv();
  for (std::string& variable : environment) {
    putenv(variable.data());
  }
  execvp(arguments[0].c_str(), Pointers(arguments).data());
  const int code = errno == ENOENT ? 127 : 126;
  dprintf(STDERR_FILENO, "kvm-host: cannot run %s: %s\n", arguments[0].c_str(), strerror(errno));
  _exit(code);
}

void Agent::OnOutput(int* fd, Frame type) {
  std::array<char, kChunk> buffer;
  const ssize_t got = read(*fd, buffer.data(), buffer.size());
  if (got > 0) {
    return Send(type, std::string_view(buffer.data(), got));
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  CloseFd(fd);
}

// Sends what the command has written, ends what it left running, and says how it ended.
void Agent::FinishCommand(int status) {
  KillEverything();
  while (out_ >= 0) {
    OnOutput(&out_, Frame::kStdout);  // all writers are gone: reads until the end
  }
  while (error_ >= 0) {
    OnOutput(&error_, Frame::kStderr);
  }
  child_ = -1;
  const auto wire_status = static_cast<uint32_t>(status);
  Send(Frame::kStatus, {reinterpret_cast<const char*>(&wire_status), sizeof(wire_status)});
}

}  // namespace
}  // namespace tidevm::host_agent

int main() {
  using namespace tidevm::host_agent;
  SetUpHost();
  const int port = OpenPort();
  Agent(port).Run();
}
