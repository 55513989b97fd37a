#include "vmm/machine/log_sink.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <string>

#include "tidevm/unique_fd.h"

namespace tidevm::machine {
namespace {

using testing::EndsWith;

class LogSinkTest : public testing::Test {
 protected:
  LogSinkTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    read_.Reset(ends[0]);
    write_.Reset(ends[1]);
  }

  static spdlog::logger LoggerTo(int fd) {
    spdlog::logger logger("tidevm", LogSink::Open(fd).value());
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>("%l: %v"));
    return logger;
  }

  /// All that is there.
  std::string Read() const {
    std::string text(1 << 20, ' ');
    const ssize_t got = ::read(read_.get(), text.data(), text.size());
    return text.substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  UniqueFd read_;
  UniqueFd write_;
};

TEST_F(LogSinkTest, LinesArriveOneByOne) {
  spdlog::logger logger = LoggerTo(write_.get());
  logger.info("one");
  logger.warn("two");
  EXPECT_EQ(Read(), "info: one\nwarning: two\n");
}

TEST_F(LogSinkTest, AReaderThatHasStoppedIsNotWaitedForAndLearnsWhatItMissed) {
  spdlog::logger logger = LoggerTo(write_.get());
  for (int i = 0; i < 5000; ++i) {  // more than a pipe holds
    logger.info("{:0100}", i);
  }
  const std::string before = Read();
  EXPECT_THAT(before, EndsWith("\n"));
  EXPECT_LT(before.size(), 5000U * 100);
  const auto arrived = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  logger.info("the next");
  EXPECT_EQ(Read(), fmt::format("warning: lost lines of this log, which nothing took in time: {}\n"
                                "info: the next\n",
                                5000 - arrived));
}

TEST_F(LogSinkTest, ALineLongerThanThePipeIsNotTornApart) {
  spdlog::logger logger = LoggerTo(write_.get());
  const std::string much(100000, 'x');
  logger.info(much);
  std::string text = Read();
  logger.info("next");
  text += Read();
  EXPECT_EQ(text, "info: " + much + "\ninfo: next\n");
}

TEST_F(LogSinkTest, AReaderThatIsGoneHarmsNobody) {
  spdlog::logger logger = LoggerTo(write_.get());
  read_.Reset();
  logger.info("one");
  logger.info("two");
}

TEST_F(LogSinkTest, AFullDiskHarmsNobody) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  spdlog::logger logger = LoggerTo(full.get());
  logger.info("one");
  logger.info("two");
}

}  // namespace
}  // namespace tidevm::machine
