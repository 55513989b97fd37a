#include "guest-tests/bare-metal/bare_metal_test_util.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "guest-tests/harness/process_usage.h"

namespace tidevm::guest_tests {
namespace {

constexpr std::uint64_t kGuestMebibytes = 32;

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::string TidevmBinary() { return FromEnvironment("TIDEVM_BIN", TIDEVM_BINARY); }

}  // namespace

void BareMetalTest::SetUp() {
  if (::access("/dev/kvm", R_OK | W_OK) != 0) {
    GTEST_SKIP() << "/dev/kvm: " << std::strerror(errno)
                 << "; guest-tests/bare-metal/run has another KVM";
  }
}

void BareMetalTest::TearDown() {
  if (vm_ != nullptr && !HasFailure() && !IsSkipped()) {
    TIDEVM_ASSERT_DONE(Quit());
  }
}

Result<void> BareMetalTest::Start(const std::string& guest, VmSettings settings) {
  const Files files{
      .tidevm = TidevmBinary(),
      .kernel = FromEnvironment("TIDEVM_BARE_METAL", TIDEVM_BARE_METAL_GUESTS) + "/" + guest,
      .initrd = {}};
  settings.memory = fmt::format("{}M", kGuestMebibytes);
  settings.initrd = false;
  settings.extra_cmdline =
      std::string("case=") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  return GuestVm::Start(files, settings).map([this](std::unique_ptr<GuestVm> vm) {
    vm_ = std::move(vm);
  });
}

Result<std::string> BareMetalTest::NextWord() {
  return vm_->WaitForConsole("@").and_then([this](const std::string& line) -> Result<std::string> {
    const std::string words = line.substr(line.find('@') + 1);
    if (words.starts_with("FAIL")) {
      return Fail(ErrorCode::kIo, "the guest says: {}\n{}", words, vm_->process().Transcript());
    }
    return words;
  });
}

Result<void> BareMetalTest::Says(std::string_view words) {
  return NextWord().and_then([&](const std::string& said) -> Result<void> {
    if (said != words) {
      return Fail(ErrorCode::kIo, "the guest says \"{}\", and should say \"{}\"\n{}", said, words,
                  vm_->process().Transcript());
    }
    return {};
  });
}

Result<void> BareMetalTest::Tell(const std::string& line) {
  return vm_->process().Write(line + "\n");
}

Result<std::uint64_t> BareMetalTest::Plug(CpuId cpu, std::optional<int> timeout_ms) {
  return SetOne(cpu, true, timeout_ms);
}

Result<std::uint64_t> BareMetalTest::Unplug(CpuId cpu, std::optional<int> timeout_ms) {
  return SetOne(cpu, false, timeout_ms);
}

Result<std::uint64_t> BareMetalTest::SetOne(CpuId cpu, bool wanted, std::optional<int> timeout_ms) {
  const auto vcpus = vm_->Execute("query-vcpus");
  if (!vcpus) {
    return tl::make_unexpected(vcpus.error());
  }
  CpuSet set;
  for (const Json& vcpu : *vcpus) {
    if (vcpu["cpu"] == cpu ? wanted : vcpu["wanted"].get<bool>()) {
      set.Insert(vcpu["cpu"].get<CpuId>());
    }
  }
  Json arguments = {{"cpus", set.ToString()}};
  if (timeout_ms) {
    arguments["timeout-ms"] = *timeout_ms;
  }
  return vm_->Execute("set-vcpus", arguments)
      .and_then([&](const Json& started) -> Result<std::uint64_t> {
        if (started["operations"].size() != 1) {
          return Fail(ErrorCode::kBusy, "set-vcpus {} started {} operations, not one",
                      set.ToString(), started["operations"].size());
        }
        return started["operations"][0]["id"].get<std::uint64_t>();
      });
}

Result<OperationEnd> BareMetalTest::End(std::uint64_t operation) {
  return vm_->WaitForOperations({operation}).map([](const std::vector<OperationEnd>& ended) {
    return ended.front();
  });
}

Result<OperationEnd> BareMetalTest::Done(std::uint64_t operation) {
  return End(operation).and_then([this](OperationEnd end) -> Result<OperationEnd> {
    if (end.outcome != "done") {
      vm_->SawOnConsole("@");  // reads what there is
      return Fail(ErrorCode::kIo, "{} of vCPU {}: {}: {}\n{}", end.kind, end.cpu, end.outcome,
                  end.reason, vm_->process().Transcript());
    }
    return end;
  });
}

Result<Json> BareMetalTest::Operation(std::uint64_t id) {
  return vm_->Execute("query-vcpu-operations").and_then([id](const Json& all) -> Result<Json> {
    for (const Json& operation : all) {
      if (operation["id"] == id) {
        return operation;
      }
    }
    return Fail(ErrorCode::kNotFound, "no operation {}", id);
  });
}

Result<Json> BareMetalTest::Vcpu(CpuId cpu) {
  return vm_->Execute("query-vcpus").map([cpu](const Json& vcpus) { return vcpus.at(cpu); });
}

Result<void> BareMetalTest::Answers() {
  return vm_->Execute("query-status").and_then([](const Json& status) -> Result<void> {
    if (status["status"] != "running") {
      return Fail(ErrorCode::kIo, "the machine is {}, not running", status.dump());
    }
    return {};
  });
}

Result<void> BareMetalTest::Quit() {
  return vm_->Execute("quit")
      .and_then([this](const Json&) { return vm_->WaitForExit(); })
      .and_then([this](int status) -> Result<void> {
        if (status != 0) {
          return Fail(ErrorCode::kIo, "tidevm's exit status is {}\n{}", status,
                      vm_->process().Transcript());
        }
        vm_.reset();
        return {};
      });
}

void BareMetalTest::ExpectResetsAtAPace() {
  constexpr int kAtOnce = 8;
  constexpr int kAtAPace = 5;
  for (int i = 0; i < kAtOnce; ++i) {
    TIDEVM_ASSERT_DONE(vm_->WaitForEvent("RESET"));
  }
  const auto start = Clock::now();
  const std::uint64_t memory = resident_kib();
  const std::size_t descriptors = vm_->open_descriptors();
  for (int i = 0; i < kAtAPace; ++i) {
    TIDEVM_ASSERT_OK(reset, vm_->WaitForEvent("RESET"));
    EXPECT_EQ(reset["data"]["guest"], true);
    TIDEVM_ASSERT_DONE(Answers());
  }
  // One a second; some may have been saved up by a host that was slow at the start.
  EXPECT_GE(Clock::now() - start, std::chrono::seconds(2));
  EXPECT_LT(resident_kib(), memory + 1024);
  EXPECT_EQ(vm_->open_descriptors(), descriptors);
  // Whoever asks from outside does not wait for the guest's turn.
  TIDEVM_ASSERT_DONE(vm_->Execute("system_reset"));
  TIDEVM_ASSERT_DONE(vm_->WaitForEvent("RESET"));
}

std::uint64_t BareMetalTest::resident_kib() const {
  const auto use = ReadMemoryUse(vm_->process().pid(), kGuestMebibytes << 20);
  EXPECT_TRUE(use.has_value()) << use.error().message;
  return use ? use->resident >> 10 : 0;
}

std::string BareMetalTest::threads() const {
  const std::string main_thread = std::to_string(vm_->process().pid());
  const auto has_a_name = [&](const std::filesystem::directory_entry& task) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    std::getline(file, name);
    return name != "tidevm" || task.path().filename() == main_thread;
  };
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (Clock::now() < deadline &&
         !std::ranges::all_of(std::filesystem::directory_iterator("/proc/" + main_thread + "/task"),
                              has_a_name)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return vm_->HostThreads().ToString();
}

std::size_t BareMetalTest::LogLinesWith(std::string_view text) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      vm_->process().errors(),
      [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

bool Reached(const OperationEnd& operation, std::string_view phase) {
  return std::ranges::any_of(operation.phases,
                             [&](const auto& reached) { return reached.first == phase; });
}

}  // namespace tidevm::guest_tests
