#include "tidevm/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>
#include <vector>

namespace tidevm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <typename Message>
bool Readable(const Mailbox<Message>& mailbox, int timeout_ms = 0) {
  pollfd poll_fd{.fd = mailbox.event_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&poll_fd, 1, timeout_ms) == 1;
}

TEST(Mailbox, GivesTheMessagesInTheirOrder) {
  const auto mailbox = Mailbox<int>::Create().value();
  for (const int message : {3, 1, 2}) {
    EXPECT_TRUE(mailbox->Post(message));
  }
  EXPECT_THAT(mailbox->Take(), ElementsAre(3, 1, 2));
  EXPECT_THAT(mailbox->Take(), IsEmpty());
}

TEST(Mailbox, IsReadableOnlyWhileSomethingWaits) {
  const auto mailbox = Mailbox<int>::Create().value();
  EXPECT_FALSE(Readable(*mailbox));
  mailbox->Post(1);
  mailbox->Post(2);
  EXPECT_TRUE(Readable(*mailbox));
  mailbox->Take();
  EXPECT_FALSE(Readable(*mailbox));
  mailbox->Post(3);
  EXPECT_TRUE(Readable(*mailbox));
}

TEST(Mailbox, DropsWhatIsAboveTheCapacityOfThatPost) {
  const auto mailbox = Mailbox<int>::Create().value();
  EXPECT_TRUE(mailbox->Post(1, 2));
  EXPECT_TRUE(mailbox->Post(2, 2));
  EXPECT_FALSE(mailbox->Post(3, 2));
  EXPECT_TRUE(mailbox->Post(4)) << "has no limit of its own";
  EXPECT_THAT(mailbox->Take(), ElementsAre(1, 2, 4));
  EXPECT_TRUE(mailbox->Post(5, 2));
}

TEST(Mailbox, CapacityOfZeroTakesNothing) {
  const auto mailbox = Mailbox<int>::Create().value();
  EXPECT_FALSE(mailbox->Post(1, 0));
  EXPECT_FALSE(Readable(*mailbox));
}

TEST(Mailbox, CarriesWhatCanOnlyBeMoved) {
  const auto mailbox = Mailbox<std::unique_ptr<int>>::Create().value();
  mailbox->Post(std::make_unique<int>(7));
  const auto taken = mailbox->Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(*taken[0], 7);
}

TEST(Mailbox, ManyPostersLoseNothingAndEachKeepsItsOrder) {
  constexpr int kPosters = 4;
  constexpr int kEach = 5000;
  const auto mailbox = Mailbox<std::pair<int, int>>::Create().value();
  std::vector<std::jthread> posters;
  posters.reserve(kPosters);
  for (int poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&mailbox, poster] {
      for (int i = 0; i < kEach; ++i) {
        mailbox->Post({poster, i});
      }
    });
  }
  int next[kPosters] = {};
  int total = 0;
  while (total < kPosters * kEach) {
    ASSERT_TRUE(Readable(*mailbox, 10000)) << "a wake-up was lost";
    for (const auto& [poster, i] : mailbox->Take()) {
      ASSERT_EQ(i, next[poster]++);
      ++total;
    }
  }
}

}  // namespace
}  // namespace tidevm
