#include "vmm/devices/serial_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "vmm/devices/device_test_support.h"

namespace tidevm::devices {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    read.Reset(ends[0]);
    write.Reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

class SerialBackendTest : public testing::Test {
 public:
  SerialBackendTest() { std::signal(SIGPIPE, SIG_IGN); }
  ~SerialBackendTest() override { std::filesystem::remove_all(folder_); }

 protected:
  std::string Path(std::string_view name) const { return (folder_ / name).string(); }
  static std::string ContentOf(const std::string& path) {
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
  }

 private:
  static std::filesystem::path MakeFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "tidevm-serial-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  std::filesystem::path folder_ = MakeFolder();
};

std::string ReadText(SerialBackend& backend) {
  std::array<std::byte, 100> data{};
  return AsText(std::span(data).first(backend.Read(data)));
}

TEST_F(SerialBackendTest, NullTakesEverythingAndGivesNothing) {
  SerialBackend backend = SerialBackend::Open("null").value();
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
  EXPECT_EQ(ReadText(backend), "");
  EXPECT_FALSE(backend.has_input());
  EXPECT_EQ(backend.input_fd(), -1);
  EXPECT_EQ(backend.output_fd(), -1);
}

TEST_F(SerialBackendTest, FileIsReplacedAndNeedsNoWaiting) {
  const std::string path = Path("console");
  std::ofstream(path) << "much that was there before";
  SerialBackend backend = SerialBackend::Open("file:" + path).value();
  EXPECT_EQ(backend.output_fd(), -1);
  EXPECT_EQ(backend.Write(AsBytes("boot")), 4U);
  EXPECT_EQ(backend.Write(AsBytes("ed\n")), 3U);
  EXPECT_EQ(ContentOf(path), "booted\n");
}

TEST_F(SerialBackendTest, WrongSpecsAreNamed) {
  for (const std::string_view spec : {"", "file:", "pty", "stdio:", "fd:", "fd:x"}) {
    const auto backend = SerialBackend::Open(spec);
    ASSERT_FALSE(backend) << spec;
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalidArgument) << spec;
  }
  const auto missing = SerialBackend::Open("file:" + Path("no/such"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST_F(SerialBackendTest, FullDiskIsToldAndThrownAway) {
  SerialBackend backend = SerialBackend::Open("file:/dev/full").value();
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
}

// epoll is asked whether it takes the descriptor. No answer is not "no": the input would never be
// looked at.
TEST_F(SerialBackendTest, WithoutADescriptorLeftAFileIsRefused) {
  const std::string path = Path("console");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const UniqueFd next(::dup(STDIN_FILENO));
  const rlimit one_left{.rlim_cur = static_cast<rlim_t>(next.get()) + 2, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_left), 0);
  const auto backend = SerialBackend::Open("file:" + path);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().sys_errno, EMFILE);
}

TEST_F(SerialBackendTest, PipesBothWays) {
  const Pipe in;
  const Pipe out;
  SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  EXPECT_EQ(ReadText(backend), "") << "nothing yet, and it did not wait";
  ASSERT_EQ(::write(in.write.get(), "typed", 5), 5);
  EXPECT_EQ(ReadText(backend), "typed");
  EXPECT_EQ(backend.Write(AsBytes("shown")), 5U);
  std::array<char, 10> shown{};
  ASSERT_EQ(::read(out.read.get(), shown.data(), shown.size()), 5);
  EXPECT_STREQ(shown.data(), "shown");
}

TEST_F(SerialBackendTest, DescriptorsOfOthersStayBlocking) {
  const Pipe in;
  const Pipe out;
  const SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  EXPECT_EQ(::fcntl(in.read.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(out.write.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(SerialBackendTest, ReaderThatStopsReadingStopsTheWriting) {
  const Pipe in;
  const Pipe out;
  SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  const std::string much(1 << 20, 'x');
  const std::size_t count = backend.Write(AsBytes(much));
  EXPECT_GT(count, 0U);
  EXPECT_LT(count, much.size());
  EXPECT_EQ(backend.Write(AsBytes(much)), 0U);
  pollfd ready{.fd = backend.output_fd(), .events = POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
  std::string read(65536, ' ');
  ASSERT_GT(::read(out.read.get(), read.data(), read.size()), 0);
  EXPECT_EQ(::poll(&ready, 1, 0), 1);
  EXPECT_GT(backend.Write(AsBytes(much)), 0U);
}

TEST_F(SerialBackendTest, ReaderThatIsGoneIsNoError) {
  const Pipe in;
  Pipe out;
  SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  out.read.Reset();
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
  EXPECT_EQ(backend.output_fd(), -1);
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
}

TEST_F(SerialBackendTest, ReaderThatWasGoneBeforeIsNoError) {
  const Pipe in;
  Pipe out;
  out.read.Reset();
  SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
  EXPECT_EQ(backend.output_fd(), -1);
}

TEST_F(SerialBackendTest, EndOfInputIsQuiet) {
  Pipe in;
  const Pipe out;
  SerialBackend backend = SerialBackend::FromDescriptors(in.read.get(), out.write.get());
  ASSERT_EQ(::write(in.write.get(), "end", 3), 3);
  in.write.Reset();
  EXPECT_EQ(ReadText(backend), "end");
  EXPECT_TRUE(backend.has_input());
  EXPECT_EQ(ReadText(backend), "");
  EXPECT_FALSE(backend.has_input());
  EXPECT_EQ(backend.input_fd(), -1);
}

TEST_F(SerialBackendTest, ClosedDescriptorsAreAsEnded) {
  SerialBackend backend = SerialBackend::FromDescriptors(-1, -1);
  EXPECT_FALSE(backend.has_input());
  EXPECT_EQ(backend.Write(AsBytes("text")), 4U);
}

TEST_F(SerialBackendTest, SocketsAreReadAndWrittenWithoutWaiting) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  SerialBackend backend = SerialBackend::FromDescriptors(ours.get(), ours.get());
  EXPECT_EQ(ReadText(backend), "");
  ASSERT_EQ(::write(theirs.get(), "typed", 5), 5);
  EXPECT_EQ(ReadText(backend), "typed");
  const std::string much(8 << 20, 'x');
  EXPECT_LT(backend.Write(AsBytes(much)), much.size());
  EXPECT_EQ(::fcntl(ours.get(), F_GETFL) & O_NONBLOCK, 0);
  theirs.Reset();
  EXPECT_EQ(backend.Write(AsBytes(much)), much.size());
}

TEST_F(SerialBackendTest, RegularFilesKeepTheirSharedPosition) {
  const std::string path = Path("log");
  const UniqueFd shared(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(shared.get(), "before ", 7), 7);
  SerialBackend backend = SerialBackend::FromDescriptors(-1, shared.get());
  EXPECT_EQ(backend.Write(AsBytes("guest ")), 6U);
  ASSERT_EQ(::write(shared.get(), "after", 5), 5);
  EXPECT_EQ(ContentOf(path), "before guest after");
  EXPECT_EQ(backend.output_fd(), -1) << "epoll would refuse it";
}

TEST_F(SerialBackendTest, InputFromAFileNeedsNoWaiting) {
  const std::string path = Path("script");
  std::ofstream(path) << "poweroff\n";
  const UniqueFd script(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  SerialBackend backend = SerialBackend::FromDescriptors(script.get(), -1);
  EXPECT_EQ(backend.input_fd(), -1);
  EXPECT_TRUE(backend.has_input());
  EXPECT_EQ(ReadText(backend), "poweroff\n");
  EXPECT_EQ(ReadText(backend), "");
  EXPECT_FALSE(backend.has_input());
}

TEST_F(SerialBackendTest, PseudoTerminalIsOpenedAgain) {
  const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(master.valid());
  ASSERT_EQ(::grantpt(master.get()), 0);
  ASSERT_EQ(::unlockpt(master.get()), 0);
  const UniqueFd terminal(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  SerialBackend backend = SerialBackend::FromDescriptors(terminal.get(), terminal.get());
  EXPECT_EQ(backend.Write(AsBytes("shown")), 5U);
  std::array<char, 10> shown{};
  ASSERT_EQ(::read(master.get(), shown.data(), shown.size()), 5);
  EXPECT_LT(backend.Write(AsBytes(std::string(1 << 20, 'x'))), 1U << 20);
  EXPECT_EQ(::fcntl(terminal.get(), F_GETFL) & O_NONBLOCK, 0);

  // The master itself is not: that would be another pair.
  SerialBackend other_end = SerialBackend::FromDescriptors(-1, master.get());
  EXPECT_EQ(other_end.Write(AsBytes("typed\n")), 6U);
  EXPECT_EQ(ReadText(backend), "typed\n");
}

std::string NameOf(const UniqueFd& fd) { return fmt::format("fd:{}", fd.get()); }

TEST_F(SerialBackendTest, PassedSocketGoesBothWays) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  SerialBackend backend = SerialBackend::Open(NameOf(theirs)).value();
  EXPECT_EQ(ReadText(backend), "") << "nothing yet, and it did not wait";
  ASSERT_EQ(::write(ours.get(), "typed", 5), 5);
  EXPECT_EQ(ReadText(backend), "typed");
  EXPECT_EQ(backend.Write(AsBytes("shown")), 5U);
  std::array<char, 10> shown{};
  ASSERT_EQ(::read(ours.get(), shown.data(), shown.size()), 5);
  EXPECT_STREQ(shown.data(), "shown");
}

TEST_F(SerialBackendTest, PassedPipeOrFileIsForOutputAlone) {
  const Pipe out;
  SerialBackend to_pipe = SerialBackend::Open(NameOf(out.write)).value();
  EXPECT_FALSE(to_pipe.has_input());
  EXPECT_EQ(to_pipe.Write(AsBytes("shown")), 5U);
  std::array<char, 10> shown{};
  ASSERT_EQ(::read(out.read.get(), shown.data(), shown.size()), 5);

  const UniqueFd file(::open(Path("console").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  SerialBackend to_file = SerialBackend::Open(NameOf(file)).value();
  EXPECT_FALSE(to_file.has_input());
  EXPECT_EQ(to_file.Write(AsBytes("shown")), 5U);
  EXPECT_EQ(ContentOf(Path("console")), "shown");
}

}  // namespace
}  // namespace tidevm::devices
