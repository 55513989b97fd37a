// Many requests in one life of a VM: the views agree after each, and nothing is left behind.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "guest-tests/harness/process_usage.h"
#include "guest-tests/linux/guest_test_util.h"

namespace tidevm::guest_tests {
namespace {

using std::chrono::milliseconds;

constexpr CpuId kMax = 8;
constexpr std::uint64_t kGuestBytes = 256 << 20;
constexpr int kResetEvery = 100;  // requests; a boot takes as long as many of them
/// Between the medians of the first and the last quarter: malloc's. A leak of 1 KiB a request shows
/// in a run of 1,000.
constexpr long kMarginKib = 512;

struct Sample {
  int request = 0;
  std::string kind;
  double seconds = 0;  // since the first
  long rss_kib = 0;    // of tidevm, without the guest's memory
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  std::uint32_t vcpus = 0;
};

long FromEnvironment(const char* name, long otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : std::atol(value);
}

long Median(std::vector<long> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Soak : public GuestTest {
 protected:
  void SetUp() override {
    const long seed = FromEnvironment("TIDEVM_SOAK_SEED", 20240229);
    random_.seed(static_cast<std::mt19937::result_type>(seed));
    requests_ = static_cast<int>(FromEnvironment("TIDEVM_SOAK", 100));
    ASSERT_GT(requests_, 0);
    std::printf("%d requests, seed %ld (TIDEVM_SOAK, TIDEVM_SOAK_SEED)\n", requests_, seed);
    if (const char* const path = std::getenv("TIDEVM_SOAK_LOG")) {
      std::error_code ignored;  // the emulated host may lack the folder
      std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
      log_.open(path);
      ASSERT_TRUE(log_) << path;
      log_ << "request,kind,seconds,rss_kib,fds,threads,vcpus\n";
    }
  }

  std::uint32_t Random(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }

  void Flip(CpuId cpu) {
    if (wanted_.Contains(cpu)) {
      wanted_.Erase(cpu);
    } else {
      wanted_.Insert(cpu);
    }
  }

  /// set-vcpus, one or two CPUs in or out.
  void RequestASet() {
    for (std::uint32_t i = Random(2) + 1; i > 0; --i) {
      Flip(1 + Random(kMax - 1));
    }
    TIDEVM_ASSERT_DONE(vm_->Execute("set-vcpus", {{"cpus", wanted_.ToString()}}));
  }

  /// device_add or device_del.
  void RequestADevice() {
    const CpuId cpu = 1 + Random(kMax - 1);
    Flip(cpu);
    TIDEVM_ASSERT_OK(vcpus, vm_->Execute("query-vcpus"));
    if (wanted_.Contains(cpu)) {
      TIDEVM_ASSERT_DONE(vm_->Execute("device_add", {{"driver", "host-x86_64-cpu"},
                                                     {"apic-id", vcpus.at(cpu)["apic-id"]},
                                                     {"id", fmt::format("cpu{}", cpu)}}));
    } else {
      TIDEVM_ASSERT_DONE(vm_->Execute("device_del", {{"id", vcpus.at(cpu)["qom-path"]}}));
    }
  }

  void RequestWhilePaused() {
    TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
    ASSERT_NO_FATAL_FAILURE(RequestASet());
    TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
  }

  void ResetTheGuest(bool by_itself) {
    if (by_itself) {
      TIDEVM_ASSERT_DONE(vm_->Tell("reboot"));
    } else {
      TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
    }
    TIDEVM_ASSERT_DONE(vm_->WaitReady());
  }

  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    vm_->control_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// tidevm closes what its clients have left when it comes to them: before it comes to a request
  /// that is sent after they left, or one later.
  void AwaitDescriptors() {
    const auto deadline = Clock::now() + kPatience;
    while (vm_->open_descriptors() != descriptors_) {
      ASSERT_LT(Clock::now(), deadline) << vm_->open_descriptors() << " descriptors";
      TIDEVM_ASSERT_DONE(vm_->Execute("query-status"));
    }
  }

  /// Clients that say nothing, half of a request, or too much, and go in the middle of a request.
  void ChurnClients() {
    constexpr std::string_view kTexts[] = {
        "", "{\"execute\":\"qmp_cap", "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-",
        "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-vcpus\"}", "nonsense\n"};
    std::vector<UniqueFd> clients;
    for (std::uint32_t i = Random(4) + 1; i > 0; --i) {
      clients.push_back(Connect());
      const std::string_view text = kTexts[Random(std::size(kTexts))];
      EXPECT_EQ(::send(clients.back().get(), text.data(), text.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(text.size()));
    }
    clients.clear();
    ASSERT_NO_FATAL_FAILURE(AwaitDescriptors());
    RequestASet();
  }

  std::string Request(int number) {
    if (number % kResetEvery == 0) {
      const bool by_itself = number / kResetEvery % 2 != 0;
      ResetTheGuest(by_itself);
      return by_itself ? "reboot" : "system_reset";
    }
    const std::uint32_t dice = Random(100);
    if (dice < 45) {
      RequestASet();
      return "set-vcpus";
    }
    if (dice < 85) {
      RequestADevice();
      return "device";
    }
    if (dice < 91) {
      RequestWhilePaused();
      return "paused";
    }
    ChurnClients();
    return "clients";
  }

  /// Everything that is pending has ended, as it should. What a request began is told before the
  /// request's answer, so that nothing is missed.
  void Quiesce(bool may_be_cancelled = false) {
    while (true) {
      TIDEVM_ASSERT_OK(
          event, vm_->NextEvent(Clock::now() + (pending_.empty() ? milliseconds(0) : kPatience)));
      if (!event) {
        ASSERT_THAT(pending_, ::testing::IsEmpty()) << vm_->process().Transcript();
        return;
      }
      const Json& data = (*event)["data"];
      if ((*event)["event"] != "VCPU_OPERATION") {
        continue;
      }
      if (data["outcome"] == "pending") {
        pending_.insert(data["id"].get<std::uint64_t>());
        continue;
      }
      pending_.erase(data["id"].get<std::uint64_t>());
      EXPECT_TRUE(data["outcome"] == "done" || (may_be_cancelled && data["outcome"] == "cancelled"))
          << data;
    }
  }

  /// As many operations as tidevm remembers. The guest is paused, so that none needs it.
  void FillTheRecord() {
    constexpr int kRemembered = 512;
    TIDEVM_ASSERT_DONE(vm_->Execute("stop"));
    for (int operations = 0; operations < kRemembered; operations += 2) {
      TIDEVM_ASSERT_DONE(vm_->Execute("set-vcpus", {{"count", 2}}));
      TIDEVM_ASSERT_DONE(vm_->Execute("set-vcpus", {{"count", 1}}));
      ASSERT_NO_FATAL_FAILURE(Quiesce(true));
    }
    TIDEVM_ASSERT_DONE(vm_->Execute("cont"));
    TIDEVM_ASSERT_OK(remembered, vm_->Execute("query-vcpu-operations"));
    ASSERT_EQ(remembered.size(), kRemembered);
  }

  void TakeSample(int request, std::string kind) {
    Sample sample{.request = request, .kind = std::move(kind)};
    sample.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    TIDEVM_ASSERT_OK(memory, ReadMemoryUse(vm_->process().pid(), kGuestBytes));
    sample.rss_kib = static_cast<long>(memory.resident >> 10);
    sample.descriptors = vm_->open_descriptors();
    sample.threads = vm_->all_threads();
    sample.vcpus = wanted_.size();
    if (log_.is_open()) {
      log_ << fmt::format("{},{},{:.1f},{},{},{},{}", sample.request, sample.kind, sample.seconds,
                          sample.rss_kib, sample.descriptors, sample.threads, sample.vcpus)
           << std::endl;
    }
    samples_.push_back(std::move(sample));
  }

  long MedianRss(std::size_t from, std::size_t to) const {
    std::vector<long> values;
    for (std::size_t i = from; i < to; ++i) {
      values.push_back(samples_[i].rss_kib);
    }
    return Median(std::move(values));
  }

  void ExpectFlatMemory() const {
    const std::size_t quarter = std::max<std::size_t>(1, samples_.size() / 4);
    const long first = MedianRss(0, quarter);
    const long last = MedianRss(samples_.size() - quarter, samples_.size());
    std::printf(
        "resident without guest memory: %ld KiB (median of the first quarter), %ld KiB (of "
        "the last)\n",
        first, last);
    EXPECT_LE(last, first + kMarginKib);
  }

  std::mt19937 random_;
  int requests_ = 0;
  std::ofstream log_;
  CpuSet wanted_{0};
  std::set<std::uint64_t> pending_;
  std::size_t descriptors_ = 0;  // once every vCPU has been made
  Clock::time_point start_;
  std::vector<Sample> samples_;
};

TEST_F(Soak, RandomRequestsLeaveNothingBehind) {
  ASSERT_NO_FATAL_FAILURE(StartAndWait({.cpus = fmt::format("boot=1,max={}", kMax)}));
  // Once each: KVM cannot destroy a vCPU, so that its descriptor stays.
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", kMax}}, CpuSet::FirstN(kMax)));
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  ASSERT_NO_FATAL_FAILURE(FillTheRecord());
  descriptors_ = vm_->open_descriptors();
  const std::size_t threads = vm_->all_threads();
  start_ = Clock::now();
  for (int request = 1; request <= requests_; ++request) {
    std::string kind;
    ASSERT_NO_FATAL_FAILURE(kind = Request(request)) << "request " << request;
    SCOPED_TRACE(fmt::format("request {}, {}, to {}", request, kind, wanted_.ToString()));
    ASSERT_NO_FATAL_FAILURE(Quiesce());
    ASSERT_NO_FATAL_FAILURE(ExpectEverywhere(wanted_));
    ASSERT_NO_FATAL_FAILURE(TakeSample(request, kind));
    ASSERT_EQ(samples_.back().descriptors, descriptors_);
    ASSERT_EQ(samples_.back().threads, threads + wanted_.size() - 1);
    ASSERT_FALSE(HasFailure());
  }
  ASSERT_NO_FATAL_FAILURE(SetAndExpect({{"count", 1}}, {0}));
  EXPECT_EQ(vm_->open_descriptors(), descriptors_);
  EXPECT_EQ(vm_->all_threads(), threads);
  ExpectFlatMemory();
  ExpectNoGuestWarning();
  PowerOffAndExpectSuccess();
}

}  // namespace
}  // namespace tidevm::guest_tests
