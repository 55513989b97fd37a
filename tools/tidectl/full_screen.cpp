#include "tools/tidectl/full_screen.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace tidevm::tidectl {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // other screen; no cursor
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearToEndOfLine = "\x1b[K";
constexpr std::string_view kClearToEnd = "\x1b[J";

sigset_t SignalsOfInterest() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) {
    ::sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

Result<FullScreen> FullScreen::Take(std::ostream& out) {
  FullScreen screen(out);
  const sigset_t set = SignalsOfInterest();
  screen.signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!screen.signals_.valid()) {
    screen.out_ = nullptr;
    return FailErrno(errno, "signalfd");
  }
  ::sigprocmask(SIG_BLOCK, &set, &screen.old_mask_);
  screen.Enter();
  return screen;
}

FullScreen::FullScreen(FullScreen&& other) noexcept
    : out_(std::exchange(other.out_, nullptr)),
      signals_(std::move(other.signals_)),
      old_mask_(other.old_mask_),
      old_keyboard_(other.old_keyboard_) {}

FullScreen::~FullScreen() {
  if (out_ != nullptr) {
    Leave();
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }
}

void FullScreen::Enter() {
  termios keyboard{};
  if (::tcgetattr(STDIN_FILENO, &keyboard) == 0) {
    old_keyboard_ = keyboard;
    keyboard.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keyboard.c_cc[VMIN] = 0;
    keyboard.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &keyboard);
  }
  *out_ << kEnter << std::flush;
}

void FullScreen::Leave() {
  *out_ << kLeave << std::flush;
  if (old_keyboard_) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &*old_keyboard_);
  }
}

void FullScreen::Draw(const std::vector<std::string>& lines) {
  *out_ << kHome;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // No line end after the last one: it would scroll.
    *out_ << (i == 0 ? "" : "\r\n") << lines[i] << kClearToEndOfLine;
  }
  *out_ << kClearToEnd << std::flush;
}

FullScreen::Happened FullScreen::Wait(int fd, std::chrono::steady_clock::time_point until) {
  Happened happened;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  std::array<pollfd, 3> poller = {
      {{.fd = fd, .events = POLLIN, .revents = 0},
       {.fd = signals_.get(), .events = POLLIN, .revents = 0},
       {.fd = old_keyboard_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}}};
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  if (::poll(poller.data(), poller.size(), timeout) <= 0) {
    return happened;
  }
  if (poller[1].revents != 0) {
    OnSignals(happened);
  }
  if (poller[2].revents != 0) {
    OnKeys(happened);
  }
  return happened;
}

void FullScreen::OnSignals(Happened& happened) {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == ssize_t{sizeof info}) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGTSTP) {
      Leave();
      ::raise(SIGSTOP);
      Enter();
    } else if (signal != SIGWINCH) {
      happened.quit = true;
      happened.signal = signal == SIGINT ? 0 : signal;
    }
  }
}

void FullScreen::OnKeys(Happened& happened) {
  std::array<char, 64> keys{};
  const ssize_t count = ::read(STDIN_FILENO, keys.data(), keys.size());
  if (count <= 0) {  // poll said that there was something: the terminal is gone
    happened.quit = true;
    return;
  }
  constexpr char kCtrlC = 3;  // where the terminal was set not to make a signal of it
  happened.quit = happened.quit || std::any_of(keys.begin(), keys.begin() + count, [](char key) {
                    return key == 'q' || key == 'Q' || key == kCtrlC;
                  });
}

}  // namespace tidevm::tidectl
