// What clients of the control socket see of a real guest.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

class Client : public GuestTest {
 protected:
  /// tidectl with these arguments, to its end; what it printed.
  void Tidectl(std::vector<std::string> arguments, int expected_status, std::string& output) {
    const char* const program = std::getenv("TIDEVM_TIDECTL");
    ASSERT_NE(program, nullptr) << "run this through guest-tests/run";
    arguments.insert(arguments.begin(), {program, "-s", vm_->control_path()});
    TIDEVM_ASSERT_OK(process, ChildProcess::Start(arguments));
    const auto status = process.WaitForExit(Clock::now() + kPatience);
    output = process.Transcript();
    ASSERT_EQ(status, std::optional(expected_status)) << output;
  }

  /// Another client.
  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    vm_->control_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// As much as the other side takes before it closes.
  static void SendAll(const UniqueFd& fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) {
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  static std::string ReadToEnd(const UniqueFd& fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  /// How often the kernel gave each thread that is no vCPU's the CPU, and whether it waits now, by
  /// thread id.
  std::map<std::string, std::string> SwitchesOfOtherThreads() {
    std::map<std::string, std::string> switches;
    const std::filesystem::path tasks = fmt::format("/proc/{}/task", vm_->process().pid());
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream file(task.path() / "status");
      std::string of_thread;
      bool is_vcpu = false;
      for (std::string line; std::getline(file, line);) {
        is_vcpu = is_vcpu || line.starts_with("Name:\tvcpu-");
        if (line.starts_with("State:") || line.find("ctxt_switches") != std::string::npos) {
          of_thread += line + " ";
        }
      }
      if (!is_vcpu) {
        switches[task.path().filename()] = of_thread;
      }
    }
    return switches;
  }

  /// The same, from when all of them wait: the last answer's sender may still be on its way to
  /// that.
  std::map<std::string, std::string> SwitchesOnceAllWait() {
    const auto waits = [](const auto& thread) {
      return thread.second.find("(sleeping)") != std::string::npos;
    };
    const auto deadline = Clock::now() + kPatience;
    auto switches = SwitchesOfOtherThreads();
    while (!std::ranges::all_of(switches, waits) && Clock::now() < deadline) {
      vm_->process().ReadUntil([] { return false; }, Clock::now() + std::chrono::milliseconds(20));
      switches = SwitchesOfOtherThreads();
    }
    return switches;
  }
};

// TIDEVM_ROUNDS says how often; ci/test is content with few.
TEST_F(Client, WhenWaitOnlineReturnsTheGuestAgrees) {
  const char* const wanted = std::getenv("TIDEVM_ROUNDS");
  const int rounds = wanted == nullptr ? 3 : std::atoi(wanted);
  ASSERT_GT(rounds, 0);
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=8"}));
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round + 1));
    std::string output;
    ASSERT_NO_FATAL_FAILURE(
        Tidectl({"set-vcpus", "8", "--wait", "online", "--timeout", "60s"}, 0, output));
    TIDEVM_ASSERT_OK(online, vm_->GuestOnline());
    ASSERT_EQ(online.ToString(), "0-7") << output;
    if (round == 0) {
      std::printf("%s", output.c_str());
      for (const std::string phase : {"requested", "created", "started", "notified", "acknowledged",
                                      "registered", "booting", "online"}) {
        EXPECT_THAT(output, ::testing::HasSubstr(phase));
      }
    }
    ASSERT_NO_FATAL_FAILURE(
        Tidectl({"set-vcpus", "1", "--wait", "removed", "--timeout", "60s"}, 0, output));
    TIDEVM_ASSERT_OK(left, vm_->GuestOnline());
    ASSERT_EQ(left.ToString(), "0") << output;
  }
  std::printf("%d of %d times the guest agreed\n", rounds, rounds);
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

TEST_F(Client, NothingWakesWhileNothingHappens) {
  constexpr std::chrono::seconds kIdle{10};
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 2}}, CpuSet::FirstN(2)));
  const auto before = SwitchesOnceAllWait();
  ASSERT_FALSE(before.empty());
  EXPECT_FALSE(vm_->process().ReadUntil([] { return false; }, Clock::now() + kIdle));
  EXPECT_EQ(SwitchesOfOtherThreads(), before);
  PowerOffAndExpectSuccess();
}

TEST_F(Client, OthersThatMisbehaveDisturbNobody) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  const UniqueFd never_reads = Connect();
  SendAll(never_reads, "{\"execute\":\"qmp_capabilities\"}\n");
  UniqueFd dies_in_mid_request = Connect();
  SendAll(dies_in_mid_request, "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"set-vc");
  const UniqueFd sends_brackets = Connect();
  SendAll(sends_brackets, std::string(1 << 20, '['));
  for (int round = 0; round < 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 4}}, CpuSet::FirstN(4)));
    dies_in_mid_request.Reset();
    ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  }
  EXPECT_THAT(ReadToEnd(sends_brackets), ::testing::HasSubstr("nested"));
  PowerOffAndExpectSuccess();
}

// docs/qmp-conversation.txt is a record of this one (its first lines say how it was made).
TEST_F(Client, AConversation) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = "boot=1,max=4"}));
  TIDEVM_ASSERT_DONE(vm_->Execute("query-version"));
  TIDEVM_ASSERT_DONE(vm_->Execute("query-status"));
  TIDEVM_ASSERT_OK(possible, vm_->Execute("query-hotpluggable-cpus"));
  // As a client that was written for QEMU does it.
  Json arguments = possible[2]["props"];  // the highest comes first
  arguments.update({{"driver", possible[2]["type"]}, {"id", "cpu1"}});
  TIDEVM_ASSERT_DONE(vm_->Execute("device_add", arguments));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("ACPI_DEVICE_OST"));
  TIDEVM_ASSERT_DONE(vm_->WaitGuestOnline({0, 1}));
  TIDEVM_ASSERT_DONE(vm_->Execute("query-cpus-fast"));
  TIDEVM_ASSERT_DONE(vm_->Execute("device_del", {{"id", "cpu1"}}));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("DEVICE_DELETED"));
  // tidevm's own.
  TIDEVM_ASSERT_OK(ended, vm_->SetVcpus({{"cpus", "0,2-3"}}));
  EXPECT_EQ(ended.size(), 2U);
  TIDEVM_ASSERT_DONE(vm_->Execute("query-vcpus"));
  TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
  TIDEVM_ASSERT_OK(started, vm_->Execute("set-vcpus", {{"count", 1}, {"timeout-ms", 5000}}));
  TIDEVM_ASSERT_DONE(vm_->Execute("cancel-vcpu-operation", {{"id", IdsOf(started)[0]}}));
  TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  TIDEVM_ASSERT_DONE(vm_->WaitForOperations(IdsOf(started)));
  // Mistakes.
  EXPECT_FALSE(vm_->Execute("set-vcpus", {{"count", 5}}).has_value());
  EXPECT_FALSE(vm_->Execute("device_del", {{"id", "cpu1"}}).has_value());
  EXPECT_FALSE(vm_->Execute("set-vcpu", {{"count", 2}}).has_value());
  TIDEVM_ASSERT_DONE(vm_->Execute("system_powerdown"));
  TIDEVM_ASSERT_OK(shutdown, vm_->WaitForEvent("SHUTDOWN"));
  EXPECT_EQ(shutdown["data"]["reason"], "guest-shutdown");
  TIDEVM_ASSERT_OK(status, vm_->WaitForExit());
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tidevm::guest_tests
