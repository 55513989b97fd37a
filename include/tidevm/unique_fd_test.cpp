#include "tidevm/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <type_traits>
#include <utility>

namespace tidevm {
namespace {

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

UniqueFd Open() { return UniqueFd(::eventfd(0, EFD_CLOEXEC)); }

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(!std::is_copy_assignable_v<UniqueFd>);
static_assert(std::is_nothrow_move_constructible_v<UniqueFd>);

TEST(UniqueFd, HoldsNothingAtFirst) {
  const UniqueFd fd;
  EXPECT_FALSE(fd.valid());
  EXPECT_EQ(fd.get(), -1);
}

TEST(UniqueFd, ClosesAtItsEnd) {
  int number = -1;
  {
    const UniqueFd fd = Open();
    number = fd.get();
    ASSERT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(UniqueFd, MoveLeavesNothingBehind) {
  UniqueFd from = Open();
  const int number = from.get();
  const UniqueFd to = std::move(from);
  EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(UniqueFd, MoveAssignmentClosesWhatWasHeld) {
  UniqueFd from = Open();
  UniqueFd to = Open();
  const int old = to.get();
  const int number = from.get();
  to = std::move(from);
  EXPECT_FALSE(IsOpen(old));
  EXPECT_EQ(to.get(), number);
}

TEST(UniqueFd, MoveToItselfKeepsIt) {
  UniqueFd fd = Open();
  UniqueFd& same = fd;
  const int number = fd.get();
  fd = std::move(same);
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(UniqueFd, ResetToTheSameNumberKeepsItOpen) {
  UniqueFd fd = Open();
  fd.Reset(fd.get());
  EXPECT_TRUE(IsOpen(fd.get()));
}

TEST(UniqueFd, ResetClosesAndReleaseDoesNot) {
  UniqueFd fd = Open();
  const int number = fd.Release();
  EXPECT_FALSE(fd.valid());
  ASSERT_TRUE(IsOpen(number));
  fd.Reset(number);
  fd.Reset();
  EXPECT_FALSE(IsOpen(number));
}

}  // namespace
}  // namespace tidevm
