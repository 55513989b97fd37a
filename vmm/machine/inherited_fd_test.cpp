#include "vmm/machine/inherited_fd.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

namespace tidevm::machine {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string NameOf(const UniqueFd& fd) { return fmt::format("fd:{}", fd.get()); }

std::string MessageOf(std::string_view value, Access access) {
  const auto claimed = ClaimDescriptor("--kernel", value, access);
  return claimed ? "claimed" : claimed.error().message;
}

TEST(ClaimDescriptor, ItIsOursAndNoChilds) {
  const int fd = ::open("/dev/null", O_RDONLY);
  const auto claimed = ClaimDescriptor("--kernel", fmt::format("fd:{}", fd), Access::kRead);
  ASSERT_TRUE(claimed.has_value()) << claimed.error().message;
  EXPECT_EQ(claimed->get(), fd);
  EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(ClaimDescriptor, OneThatIsNotOpenIsNamedWithTheRemedy) {
  UniqueFd fd(::open("/dev/null", O_RDONLY));
  const std::string name = NameOf(fd);
  const std::string number = std::to_string(fd.get());
  fd.Reset();
  const auto claimed = ClaimDescriptor("--initrd", name, Access::kRead);
  ASSERT_FALSE(claimed.has_value());
  EXPECT_EQ(claimed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(claimed.error().message, AllOf(HasSubstr("--initrd " + name), HasSubstr("not open"),
                                             HasSubstr(number + "<FILE")));
}

// The log's own descriptor, say, which may have the number that nobody passed.
TEST(ClaimDescriptor, OneThatTidevmOpenedItselfWasNotPassed) {
  const UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(MessageOf(NameOf(fd), Access::kRead), HasSubstr("not open; whoever starts tidevm"));
}

TEST(ClaimDescriptor, OneForTheOtherDirectionIsRefused) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd read(ends[0]);
  const UniqueFd write(ends[1]);
  EXPECT_THAT(MessageOf(NameOf(write), Access::kRead), HasSubstr("not open for reading"));
  EXPECT_THAT(MessageOf(NameOf(read), Access::kWrite), HasSubstr("not open for writing"));
  const UniqueFd nothing(::open("/", O_PATH));
  EXPECT_THAT(MessageOf(NameOf(nothing), Access::kRead), HasSubstr("not open for reading"));
}

TEST(ClaimDescriptor, WhatIsNoDescriptorIsRefused) {
  for (const char* value :
       {"fd:", "fd:x", "fd:3x", "fd:-1", "fd:0", "fd:2", "fd:99999999999", "3"}) {
    EXPECT_THAT(MessageOf(value, Access::kRead), HasSubstr(value));
    EXPECT_THAT(MessageOf(value, Access::kRead), HasSubstr("not a descriptor")) << value;
  }
}

constexpr pid_t kSelf = 17;

TEST(SocketActivation, TheOnlySocketWhateverItsName) {
  EXPECT_EQ(FindActivatedControl({.pid = "17", .count = "1", .names = ""}, kSelf), "fd:3");
  EXPECT_EQ(FindActivatedControl({.pid = "17", .count = "1", .names = "vm.socket"}, kSelf), "fd:3");
}

TEST(SocketActivation, OfSeveralTheOneCalledControl) {
  EXPECT_EQ(FindActivatedControl({.pid = "17", .count = "3", .names = "a:b:control"}, kSelf),
            "fd:5");
  const auto none = FindActivatedControl({.pid = "17", .count = "2", .names = "a:b"}, kSelf);
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, AllOf(HasSubstr("of 2 sockets"), HasSubstr("\"a:b\""),
                                          HasSubstr("FileDescriptorName=control")));
  EXPECT_FALSE(FindActivatedControl({.pid = "17", .count = "2", .names = "a:b:control"}, kSelf));
}

TEST(SocketActivation, NoneIsAnErrorThatSaysWhatIsMissing) {
  for (const auto& [environment, text] :
       {std::pair{ActivationEnvironment{}, "not both set"},
        {ActivationEnvironment{.pid = "", .count = "1", .names = ""}, "not both set"},
        {ActivationEnvironment{.pid = "18", .count = "1", .names = ""}, "LISTEN_PID is 18"},
        {ActivationEnvironment{.pid = "x", .count = "1", .names = ""}, "LISTEN_PID is x"},
        {ActivationEnvironment{.pid = "17", .count = "0", .names = ""}, "LISTEN_FDS is 0"},
        {ActivationEnvironment{.pid = "17", .count = "many", .names = ""}, "LISTEN_FDS is many"}}) {
    const auto found = FindActivatedControl(environment, kSelf);
    ASSERT_FALSE(found.has_value()) << text;
    EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
    EXPECT_THAT(found.error().message,
                AllOf(HasSubstr(text), HasSubstr("or give --control a path")));
  }
}

TEST(PassedSocket, IsToldFromAPath) {
  EXPECT_TRUE(IsPassedSocket("systemd"));
  EXPECT_TRUE(IsPassedSocket("fd:3"));
  EXPECT_FALSE(IsPassedSocket("./systemd"));
  EXPECT_FALSE(IsPassedSocket("vm.sock"));
  EXPECT_FALSE(IsPassedSocket(""));
}

}  // namespace
}  // namespace tidevm::machine
