// Clients that misbehave, die or are slow, and what the others notice of it: nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <vector>

#include "vmm/control/qmp_test_util.h"

namespace tidevm::control {
namespace {

using testing::HasSubstr;

TEST_F(QmpServerTest, OutstandingAnswerHoldsTheNextRequestOfThatClientOnly) {
  Client client = Negotiated();
  Client other = Negotiated();
  client.Send(R"({"execute":"stop","id":1}{"execute":"query-kvm","id":2})");
  ASSERT_TRUE(Until([&] { return machine_.stop_done != nullptr; }));
  other.Send(R"({"execute":"query-kvm","id":9})");
  EXPECT_EQ(Next(other)["id"], 9);
  client.Receive();
  EXPECT_FALSE(client.TakeMessage());
  machine_.stop_done();
  EXPECT_EQ(Next(client)["id"], 1);
  EXPECT_EQ(Next(client)["id"], 2);
}

TEST_F(QmpServerTest, ClientThatDiesWithAnAnswerOutstandingHarmsNobody) {
  Client client = Negotiated();
  Client other = Negotiated();
  client.Send(R"({"execute":"stop"})");
  ASSERT_TRUE(Until([&] { return machine_.stop_done != nullptr; }));
  client.Close();
  Turn();
  machine_.stop_done();
  server_->Publish(event::Stop{});
  EXPECT_EQ(Next(other)["event"], "STOP");
}

TEST_F(QmpServerTest, ClientThatDiesInsideARequestHarmsNobody) {
  Client client = Negotiated();
  Client other = Negotiated();
  client.Send(R"({"execute":"set-vcpus","arguments":{"cou)");
  Turn();
  client.Close();
  other.Send(R"({"execute":"query-kvm"})");
  EXPECT_TRUE(Next(other).contains("return"));
  EXPECT_TRUE(machine_.calls.empty());
}

TEST_F(QmpServerTest, ClientThatHasEndedItsInputStillGetsItsAnswers) {
  Client client(path_);
  client.Send(std::string(kNegotiate) +
              R"({"execute":"stop","id":1}{"execute":"query-kvm","id":2})");
  client.EndInput();
  ASSERT_TRUE(Until([&] { return machine_.stop_done != nullptr; }));
  machine_.stop_done();
  Next(client);
  Next(client);
  EXPECT_EQ(Next(client)["id"], 1);
  EXPECT_EQ(Next(client)["id"], 2);
  ExpectGone(client);
}

TEST_F(QmpServerTest, MegabyteOfBracketsClosesThatClientOnly) {
  Client bad = Negotiated();
  Client good = Negotiated();
  const std::string brackets(1 << 20, '[');
  std::string_view rest = brackets;
  Until([&] {
    rest.remove_prefix(bad.Send(rest));
    bad.Receive();
    return rest.empty() || bad.gone();
  });
  EXPECT_EQ(Next(bad)["error"]["desc"], "request is nested deeper than the limit of 32");
  ExpectGone(bad);
  good.Send(R"({"execute":"query-kvm"})");
  EXPECT_TRUE(Next(good).contains("return"));
}

TEST_F(QmpServerTest, TooLongARequestIsToldOfAndCloses) {
  Client bad = Negotiated();
  const std::string text = R"({"execute":")" + std::string(70000, 'x');
  bad.Send(text);
  EXPECT_EQ(Next(bad)["error"]["desc"], "request is longer than the limit of 65536 bytes");
  ExpectGone(bad);
}

TEST_F(QmpServerTest, ClientThatNeverReadsIsDroppedAndTheOthersGoOn) {
  Client slow = Negotiated();
  Client good = Negotiated();
  int published = 0;
  // About 100 bytes each: more than the socket's buffer and the 1 MiB that may wait.
  for (; published < 16000; ++published) {
    server_->Publish(event::VcpuState{.cpu = 1, .state = "running"});
    if (published % 100 == 0) {
      Turn();
      good.Receive();
    }
  }
  int received = 0;
  EXPECT_TRUE(Until([&] {
    good.Receive();
    while (good.TakeMessage()) {
      ++received;
    }
    return received == published;
  }));
  EXPECT_FALSE(good.gone());
  int kept = 0;
  ExpectGone(slow);
  while (slow.TakeMessage()) {
    ++kept;
  }
  EXPECT_LT(kept, published);
}

TEST_F(QmpServerTest, AllOfThatAtOnceAndTheOthersGetEveryEventAndEveryAnswer) {
  Client good = Negotiated();
  Client listener = Negotiated();
  Client slow = Negotiated();
  Client brackets = Negotiated();
  Client dying = Negotiated();
  const std::string megabyte(1 << 20, '[');
  std::string_view rest = megabyte;
  dying.Send(R"({"execute":"set-vcpus","arguments":{"cou)");
  int published = 0;
  int answered = 0;
  int heard_by_good = 0;
  int heard_by_listener = 0;
  const auto count = [&](Client& client, int& events) {
    client.Receive();
    while (const auto message = client.TakeMessage()) {
      ++(message->contains("event") ? events : answered);
    }
  };
  for (int round = 0; round < 160; ++round) {
    for (int i = 0; i < 100; ++i, ++published) {
      server_->Publish(event::VcpuState{.cpu = 1, .state = "running"});
    }
    rest.remove_prefix(brackets.Send(rest));
    if (round == 10) {
      dying.Close();
    }
    good.Send(R"({"execute":"query-kvm"})");
    Turn();
    count(good, heard_by_good);
    count(listener, heard_by_listener);
  }
  EXPECT_TRUE(Until([&] {
    count(good, heard_by_good);
    count(listener, heard_by_listener);
    return heard_by_good == published && heard_by_listener == published && answered == 160;
  })) << heard_by_good
      << " and " << heard_by_listener << " of " << published << " events, " << answered
      << " of 160 answers";
  ExpectGone(slow);
  ExpectGone(brackets);
  EXPECT_TRUE(machine_.calls.empty());
}

TEST_F(QmpServerTest, ClientThatAsksWithoutReadingIsPausedNotDropped) {
  Client client = Negotiated();
  const std::string request = R"({"execute":"query-vcpus"})";
  std::size_t sent = 0;
  for (int i = 0; i < 3000; ++i) {
    if (client.Send(request) == request.size()) {
      ++sent;
    }
    if (i % 50 == 0) {
      Turn();
    }
  }
  std::size_t answered = 0;
  EXPECT_TRUE(Until([&] {
    client.Receive();
    while (client.TakeMessage()) {
      ++answered;
    }
    return answered == sent;
  })) << answered
      << " of " << sent;
}

TEST_F(QmpServerTest, WithoutADescriptorLeftItNeitherSpinsNorForgetsWhoWaits) {
  Client good = Negotiated();
  Client waiting(path_);  // connected, as the kernel sees it
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const UniqueFd next(::dup(STDIN_FILENO));
  const rlimit none_left{.rlim_cur = static_cast<rlim_t>(next.get()), .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);

  loop_.After(std::chrono::milliseconds(200), [this] { loop_.Quit(); });
  const std::clock_t before = std::clock();
  EXPECT_TRUE(loop_.Run());
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10);
  good.Send(R"({"execute":"query-kvm"})");
  EXPECT_TRUE(Next(good).contains("return"));

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(Next(waiting).contains("QMP"));
}

TEST_F(QmpServerTest, OneClientTooManyIsToldSo) {
  std::vector<Client> clients;
  clients.reserve(32);
  for (int i = 0; i < 32; ++i) {
    clients.push_back(Negotiated());
  }
  Client refused(path_);
  EXPECT_THAT(Next(refused)["error"]["desc"].get<std::string>(), HasSubstr("the limit is 32"));
  ExpectGone(refused);
  clients.pop_back();
  Turn();
  Negotiated();
}

}  // namespace
}  // namespace tidevm::control
