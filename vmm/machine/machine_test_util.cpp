#include "vmm/machine/machine_test_util.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "tidevm/cpu_hotplug_registers.h"
#include "tidevm/guest_layout.h"
#include "vmm/boot/test_images.h"

namespace tidevm::machine {
namespace {

using control::Json;
using namespace cpu_hotplug;

constexpr std::chrono::seconds kLongEnough{20};

void WriteKernel(const std::string& path) {
  const boot::test::Bytes elf = boot::test::MakeElf();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(elf.data()), static_cast<std::streamsize>(elf.size()));
}

}  // namespace

void ObedientGuest::Write(std::uint16_t offset, std::uint8_t width, std::uint32_t value) {
  next_.push_back({.port = static_cast<std::uint16_t>(kBasePort + offset),
                   .width = width,
                   .is_write = true,
                   .value = value});
}

void ObedientGuest::Read(std::uint16_t offset, std::uint8_t width) {
  next_.push_back({.port = static_cast<std::uint16_t>(kBasePort + offset), .width = width});
}

void ObedientGuest::Scan() {
  Write(kCommandOffset, 1, kCommandNextWithEvent);
  Read(kFlagsOffset, 1);
}

std::optional<kvm::PortAccess> ObedientGuest::Next() {
  if (next_.empty()) {
    if (!kvm_.line(layout::kCpuHotplugGsi)) {
      return std::nullopt;
    }
    Scan();
  }
  const kvm::PortAccess access = next_.front();
  next_.pop_front();
  return access;
}

void ObedientGuest::Take(std::uint32_t value) {
  if (std::exchange(reading_data_, false)) {
    Serve(value);
    return;
  }
  if ((value & (kFlagInsertEvent | kFlagRemoveEvent)) == 0) {
    return;  // the scan is over
  }
  event_ = (value & kFlagInsertEvent) != 0 ? kFlagInsertEvent : kFlagRemoveEvent;
  reading_data_ = true;
  Read(kCommandDataOffset, 4);
}

void ObedientGuest::Serve(std::uint32_t cpu) {
  Write(kFlagsOffset, 1, event_);
  Write(kSelectorOffset, 4, cpu);
  if (event_ == kFlagInsertEvent) {
    ReportOst(1, 0);
  } else {
    Write(kFlagsOffset, 1, kFlagEject);
    Read(kFlagsOffset, 1);  // whether it is gone
  }
  Scan();
}

void ObedientGuest::ReportOst(std::uint32_t event, std::uint32_t status) {
  Write(kCommandOffset, 1, kCommandOstEvent);
  Write(kCommandDataOffset, 4, event);
  Write(kCommandOffset, 1, kCommandOstStatus);
  Write(kCommandDataOffset, 4, status);
}

RunningMachine::RunningMachine(const std::string& cpus) {
  spdlog::set_level(spdlog::level::warn);
  kvm_.SetGuest(0, std::make_shared<ObedientGuest>(kvm_));
  const std::string kernel = folder_ / "kernel";
  WriteKernel(kernel);
  MachineOptions options;
  options.kernel = kernel;
  options.memory_bytes = 64ULL << 20;
  options.cpus = ParseCpus(cpus).value();
  options.control = socket_;
  options.serial = "null";
  options.kvm_path = kvm::FakeKvm::kPath;
  options.seccomp = sandbox::Mode::kOff;  // the KVM that pretends is in this process
  std::promise<void> built;
  std::promise<void> ended;
  ended_ = ended.get_future();
  std::future<void> is_built = built.get_future();
  thread_ = std::thread([options, built = std::move(built), ended = std::move(ended)]() mutable {
    auto machine = Machine::Build(options);
    built.set_value();
    if (!machine) {
      ADD_FAILURE() << machine.error().message;
    } else {
      EXPECT_TRUE((*machine)->Run().has_value());
      machine->reset();
    }
    ended.set_value();
  });
  is_built.wait();
}

RunningMachine::~RunningMachine() {
  const control::Client client(socket_);
  client.Send(control::kNegotiate);
  client.Send("{\"execute\": \"quit\"}\n");
  if (ended_.wait_for(kLongEnough) != std::future_status::ready) {
    ADD_FAILURE() << "the machine hangs";
    std::fflush(nullptr);
    std::_Exit(1);
  }
  thread_.join();
}

MachineClient::MachineClient(const RunningMachine& machine) : client_(machine.socket()) {
  const auto greeting = NextMessage();
  EXPECT_TRUE(greeting && greeting->contains("QMP"));
  client_.Send(control::kNegotiate);
  Answer();
}

std::optional<Json> MachineClient::NextMessage() {
  const auto deadline = std::chrono::steady_clock::now() + kLongEnough;
  while (true) {
    if (auto message = client_.TakeMessage()) {
      return message;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd input{.fd = client_.fd(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || client_.gone() ||
        ::poll(&input, 1, static_cast<int>(left.count())) == 0) {
      ADD_FAILURE() << "the machine says nothing";
      return std::nullopt;
    }
    client_.Receive();
  }
}

void MachineClient::Send(const std::string& command, const Json& arguments) {
  client_.Send(Json({{"execute", command}, {"arguments", arguments}}).dump() + "\n");
}

Json MachineClient::Answer() {
  while (auto message = NextMessage()) {
    if (message->contains("event")) {
      events_.push_back(*std::move(message));
      continue;
    }
    EXPECT_TRUE(message->contains("return")) << *message;
    return message->value("return", Json());
  }
  return {};
}

Json MachineClient::Execute(const std::string& command, const Json& arguments) {
  Send(command, arguments);
  return Answer();
}

bool MachineClient::WaitForEvent(const std::function<bool(const Json& event)>& is_it) {
  while (true) {
    if (events_.empty()) {
      auto message = NextMessage();
      if (!message) {
        return false;
      }
      events_.push_back(*std::move(message));
    }
    const Json event = std::move(events_.front());
    events_.pop_front();
    if (is_it(event)) {
      return true;
    }
  }
}

}  // namespace tidevm::machine
