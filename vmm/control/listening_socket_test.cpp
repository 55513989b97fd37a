#include "vmm/control/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "vmm/control/qmp_test_util.h"

namespace tidevm::control {
namespace {

using testing::HasSubstr;

TEST(ListeningSocket, LiveSocketIsRefusedAndLeftAlone) {
  const TempFolder folder;
  const std::string path = folder / "vm.sock";
  const auto first = ListeningSocket::Bind(path);
  ASSERT_TRUE(first);
  const auto second = ListeningSocket::Bind(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_THAT(second.error().message, HasSubstr(path));
  Client still_there(path);
}

TEST(ListeningSocket, StaleSocketIsReplaced) {
  const TempFolder folder;
  const std::string path = folder / "vm.sock";
  BoundSocket(path);  // closed at once, its file stays
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(ListeningSocket::Bind(path));
}

TEST(ListeningSocket, WhatIsNoStreamSocketIsLeftAlone) {
  const TempFolder folder;
  const std::string file = folder / "file";
  std::ofstream(file) << "precious";
  const auto over_file = ListeningSocket::Bind(file);
  ASSERT_FALSE(over_file);
  EXPECT_THAT(over_file.error().message, HasSubstr("is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(file));

  const std::string datagram = folder / "datagram";
  const UniqueFd alive = BoundSocket(datagram, SOCK_DGRAM);
  EXPECT_FALSE(ListeningSocket::Bind(datagram));
  EXPECT_TRUE(std::filesystem::exists(datagram));
}

TEST(ListeningSocket, PathsThatCannotBe) {
  const TempFolder folder;
  const auto long_path = ListeningSocket::Bind("/tmp/" + std::string(103, 'x'));
  ASSERT_FALSE(long_path);
  EXPECT_THAT(long_path.error().message, HasSubstr("has 108 bytes, the system's limit is 107"));
  EXPECT_FALSE(ListeningSocket::Bind(""));
  const auto nowhere = ListeningSocket::Bind(folder / "none/vm.sock");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNotFound);
}

TEST(ListeningSocket, FileThatSomebodyReplacedStays) {
  const TempFolder folder;
  const std::string path = folder / "vm.sock";
  {
    const auto socket = ListeningSocket::Bind(path);
    ASSERT_TRUE(socket);
    // A second name keeps the inode from being used again for the newcomer.
    std::filesystem::rename(path, folder / "old");
    BoundSocket(path);
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(ListeningSocket, InheritedDescriptor) {
  const TempFolder folder;
  const std::string path = folder / "vm.sock";
  UniqueFd bound = BoundSocket(path);
  EXPECT_FALSE(ListeningSocket::Adopt(UniqueFd(::dup(bound.get()))));  // not listening yet
  ASSERT_EQ(::listen(bound.get(), 1), 0);
  { EXPECT_TRUE(ListeningSocket::Adopt(std::move(bound))); }
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(ListeningSocket::Adopt(UniqueFd(::open("/dev/null", O_RDONLY))));
}

}  // namespace
}  // namespace tidevm::control
