#include <algorithm>
#include <cstdio>
#include <regex>

#include "guest-tests/bare-metal/bare_metal_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Paravirt : public BareMetalTest {
 protected:
  Result<tidectl::QmpClient> AnotherClient() {
    auto client = tidectl::QmpClient::Connect(vm_->control_path(), Clock::now() + kPatience);
    if (!client) {
      return Fail(ErrorCode::kIo, "another client: {}", client.error().message);
    }
    return std::move(*client);
  }

  /// Questions to the control socket, one after the other, until the guest has said `last`.
  void AskUntil(std::string_view last) {
    std::chrono::nanoseconds slowest{};
    int questions = 0;
    while (!vm_->SawOnConsole(last)) {
      const auto asked = Clock::now();
      TIDEVM_ASSERT_DONE(Answers());
      slowest = std::max<std::chrono::nanoseconds>(slowest, Clock::now() - asked);
      ++questions;
    }
    std::printf("%d questions during the flood, the slowest answer after %.1f ms\n", questions,
                std::chrono::duration<double, std::milli>(slowest).count());
    EXPECT_GT(questions, 0);
    EXPECT_LT(slowest, std::chrono::seconds(10));
  }

  /// A client that did not read until now is still one, and finds a handful of events at most.
  /// `latest` is the newest of them whose name is `name`.
  void CatchUp(tidectl::QmpClient& client, std::string_view name, Json& latest) {
    const auto status = client.Execute("query-status", Json::object(), Clock::now() + kPatience);
    ASSERT_TRUE(status.has_value()) << status.error().message;
    std::size_t events = 0;
    while (true) {
      // Those that are put off come within seconds; silence for longer is the end of them.
      const auto event = client.NextEvent(Clock::now() + std::chrono::seconds(3));
      ASSERT_TRUE(event.has_value()) << event.error().message;
      if (!*event) {
        break;
      }
      ++events;
      if ((**event)["event"] == name) {
        latest = (**event)["data"];
      }
    }
    std::printf("%zu events\n", events);
    EXPECT_LT(events, 200U);
  }
};

TEST_F(Paravirt, GarbageIsRefusedOrTaken) {
  TIDEVM_ASSERT_DONE(Start("paravirt", {.cpus = "boot=1,max=1"}));
  TIDEVM_ASSERT_OK(words, NextWord());
  std::smatch numbers;
  ASSERT_TRUE(std::regex_match(words, numbers, std::regex("taken (\\d+), refused (\\d+)")))
      << words;
  EXPECT_EQ(std::stoi(numbers[1]) + std::stoi(numbers[2]), 48);
  TIDEVM_ASSERT_DONE(Passes());
  TIDEVM_ASSERT_DONE(Answers());
}

TEST_F(Paravirt, FloodOfOnlineAndOffline) {
  TIDEVM_ASSERT_DONE(Start("paravirt", {.cpus = "boot=2,max=2"}));
  TIDEVM_ASSERT_DONE(Says("ready"));
  TIDEVM_ASSERT_OK(slow, AnotherClient());
  const std::uint64_t before = resident_kib();
  TIDEVM_ASSERT_DONE(Tell("go"));
  ASSERT_NO_FATAL_FAILURE(AskUntil("PASS"));
  EXPECT_LT(resident_kib(), before + 2048);
  Json latest;
  ASSERT_NO_FATAL_FAILURE(CatchUp(slow, "VCPU_STATE", latest));
  // The last event of a flood is not lost: it says what is.
  EXPECT_EQ(latest["online"], "yes") << latest;
}

TEST_F(Paravirt, FloodOfOst) {
  TIDEVM_ASSERT_DONE(Start("paravirt", {.cpus = "boot=2,max=2"}));
  TIDEVM_ASSERT_DONE(Says("ready"));
  TIDEVM_ASSERT_OK(slow, AnotherClient());
  const std::uint64_t before = resident_kib();
  TIDEVM_ASSERT_DONE(Tell("go"));
  ASSERT_NO_FATAL_FAILURE(AskUntil("PASS"));
  EXPECT_LT(resident_kib(), before + 2048);
  Json latest;
  ASSERT_NO_FATAL_FAILURE(CatchUp(slow, "ACPI_DEVICE_OST", latest));
}

}  // namespace
}  // namespace tidevm::guest_tests
