#include "vmm/control/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace tidevm::control {
namespace {

using std::chrono::milliseconds;

struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()), 0);
    here.Reset(fds[0]);
    there.Reset(fds[1]);
  }
  void Poke() const { EXPECT_EQ(::write(there.get(), "x", 1), 1); }
  UniqueFd here;
  UniqueFd there;
};

class EventLoopTest : public testing::Test {
 protected:
  EventLoop loop_ = *EventLoop::Create();
};

TEST_F(EventLoopTest, TimersRunInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  loop_.After(milliseconds(20), [&] {
    order.push_back(3);
    loop_.Quit();
  });
  loop_.After(milliseconds(1), [&] { order.push_back(1); });
  loop_.After(milliseconds(10), [&] { order.push_back(2); });
  ASSERT_TRUE(loop_.Run());
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST_F(EventLoopTest, TimersOfOneDeadlineRunInTheOrderTheyWereMade) {
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    loop_.After(milliseconds(0), [&order, i] { order.push_back(i); });
  }
  loop_.After(milliseconds(0), [&] { loop_.Quit(); });
  ASSERT_TRUE(loop_.Run());
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(EventLoopTest, CancelledTimerDoesNotRun) {
  bool ran = false;
  const auto id = loop_.After(milliseconds(1), [&] { ran = true; });
  loop_.Cancel(id);
  loop_.Cancel(id);
  loop_.After(milliseconds(10), [&] { loop_.Quit(); });
  ASSERT_TRUE(loop_.Run());
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, TimerCancelledByAnotherThatIsDueWithItDoesNotRun) {
  bool ran = false;
  EventLoop::TimerId second = 0;
  loop_.After(milliseconds(0), [&] { loop_.Cancel(second); });
  second = loop_.After(milliseconds(0), [&] { ran = true; });
  loop_.After(milliseconds(5), [&] { loop_.Quit(); });
  ASSERT_TRUE(loop_.Run());
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, TimerThatMakesTimersWithoutDelayDoesNotStarveDescriptors) {
  Pair pair;
  std::function<void()> again = [&] { loop_.After(milliseconds(0), again); };
  again();
  ASSERT_TRUE(loop_.Add(pair.here.get(), EPOLLIN, [&](std::uint32_t) { loop_.Quit(); }));
  pair.Poke();
  ASSERT_TRUE(loop_.Run());
}

TEST_F(EventLoopTest, CallbackMayRemoveItself) {
  Pair pair;
  int calls = 0;
  ASSERT_TRUE(loop_.Add(pair.here.get(), EPOLLIN, [&, text = std::string(64, 'x')](std::uint32_t) {
    loop_.Remove(pair.here.get());
    calls += static_cast<int>(text.size()) / 64;  // the captures must still be there
  }));
  pair.Poke();
  loop_.After(milliseconds(10), [&] { loop_.Quit(); });
  ASSERT_TRUE(loop_.Run());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, DescriptorRemovedByAnotherCallbackOfTheSameBatchIsNotCalled) {
  Pair a;
  Pair b;
  int calls = 0;
  const auto callback = [&](std::uint32_t) {
    ++calls;
    loop_.Remove(a.here.get());
    loop_.Remove(b.here.get());
    loop_.Quit();
  };
  ASSERT_TRUE(loop_.Add(a.here.get(), EPOLLIN, callback));
  ASSERT_TRUE(loop_.Add(b.here.get(), EPOLLIN, callback));
  a.Poke();
  b.Poke();
  ASSERT_TRUE(loop_.Run());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, EventOfAClosedDescriptorDoesNotReachTheNextOneWithItsNumber) {
  Pair a;
  Pair b;
  bool newcomer_called = false;
  UniqueFd newcomer;
  const auto callback = [&](UniqueFd& other) {
    const int number = other.get();
    loop_.Remove(number);
    other.Reset();
    newcomer.Reset(::dup2(STDERR_FILENO, number));
    Pair fresh;  // readable never
    ASSERT_GE(::dup2(fresh.here.get(), number), 0);
    ASSERT_TRUE(loop_.Add(number, EPOLLIN, [&](std::uint32_t events) {
      newcomer_called = newcomer_called || (events & EPOLLHUP) == 0;
    }));
    loop_.Quit();
  };
  bool first = true;
  const auto once = [&](UniqueFd& other) {
    if (std::exchange(first, false)) {
      callback(other);
    }
  };
  ASSERT_TRUE(loop_.Add(a.here.get(), EPOLLIN, [&](std::uint32_t) { once(b.here); }));
  ASSERT_TRUE(loop_.Add(b.here.get(), EPOLLIN, [&](std::uint32_t) { once(a.here); }));
  a.Poke();
  b.Poke();
  ASSERT_TRUE(loop_.Run());
  EXPECT_FALSE(newcomer_called);
}

TEST_F(EventLoopTest, ModifyChangesWhatIsReported) {
  Pair pair;
  std::uint32_t seen = 0;
  ASSERT_TRUE(loop_.Add(pair.here.get(), EPOLLIN, [&](std::uint32_t events) {
    seen = events;
    loop_.Quit();
  }));
  ASSERT_TRUE(loop_.Modify(pair.here.get(), EPOLLOUT));
  ASSERT_TRUE(loop_.Run());
  EXPECT_EQ(seen, EPOLLOUT);
  loop_.Remove(pair.here.get());
  EXPECT_FALSE(loop_.Modify(pair.here.get(), EPOLLIN));
}

TEST_F(EventLoopTest, QuitBeforeRunReturnsAtOnceAndIsUsedUp) {
  loop_.Quit();
  ASSERT_TRUE(loop_.Run());
  bool ran = false;
  loop_.After(milliseconds(1), [&] {
    ran = true;
    loop_.Quit();
  });
  ASSERT_TRUE(loop_.Run());
  EXPECT_TRUE(ran);
}

TEST_F(EventLoopTest, IdleLoopIsNotWoken) {
  Pair pair;
  ASSERT_TRUE(loop_.Add(pair.here.get(), EPOLLIN, [&](std::uint32_t) { loop_.Quit(); }));
  // A timer that is long past must leave no periodic expiry behind.
  loop_.After(milliseconds(0), [] {});
  long switches = -1;
  std::thread runner([&] {
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &before);
    EXPECT_TRUE(loop_.Run());
    ::getrusage(RUSAGE_THREAD, &after);
    switches = after.ru_nvcsw - before.ru_nvcsw;
  });
  std::this_thread::sleep_for(milliseconds(200));
  pair.Poke();
  runner.join();
  EXPECT_LE(switches, 3);
}

}  // namespace
}  // namespace tidevm::control
