// Stories of a guest that does whatever it likes with the hotplug registers, of a host that asks
// and takes back, and of threads that end when they please. The registers are held against a model
// of their contract after each access, the controller against its invariants after each step, and
// in the end a guest that does as it is told must bring everything to rest.
//
// A story is a script (fuzzing/script.h). Small letters are the guest, capitals the host:
//   read OFFSET WIDTH [COUNT]         Machine MAX BOOT      first of all; 3 2 without it
//   write OFFSET WIDTH VALUE [COUNT]  Plug CPU [SECONDS]    Unplug CPU [SECONDS]   Want MASK
//   scan           CSCN               Cancel OPERATION      Xpire [SECONDS]        later: deadlines
//   probe CPU      _STA               Notice                takes what the guest did
//   eject CPU      _EJ0               Ended CPU             a thread that was asked to end did
//   ost CPU EVENT STATUS              Started CPU, Left CPU its thread runs; it got INIT and SIPI
//                                     Arm CPU, Disarm CPU   its paravirtual MSRs
//   COUNT: rep ins, rep outs          Triple CPU            its thread ended by a triple fault
//                                     Broken CPU            KVM gave it up; the end of the story
//                                     Reset   Hold, Go      of the machine
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <string_view>

#include "fuzzing/require.h"
#include "fuzzing/script.h"
#include "vmm/hotplug/hotplug_invariants_fuzz_util.h"
#include "vmm/hotplug/hotplug_test_util.h"
#include "vmm/hotplug/register_model_fuzz_util.h"

namespace tidevm::hotplug {
namespace {

using namespace cpu_hotplug;
using fuzzing::Require;

constexpr int kMostSteps = 400;
constexpr std::uint64_t kMostRepeats = 64;

std::size_t WidthFrom(std::uint64_t number) {
  return number <= 8 && std::has_single_bit(number) ? number : std::size_t{1} << (number % 4);
}

Deadline DeadlineFrom(std::uint64_t seconds) {
  return seconds == 0 ? Deadline()
                      : std::chrono::seconds(std::min<std::uint64_t>(seconds, 24 * 3600));
}

class Story {
 public:
  Story(std::uint32_t max, std::uint32_t boot) : bench_(max, boot), model_(bench_.registers) {
    if (!ports_.Add(kBasePort, kBlockSize, bench_.registers)) {
      fuzzing::Found("the bus refuses the registers");
    }
  }

  /// False where the story is over.
  bool Step(char command, fuzzing::Script& script);
  /// Brings everything to an end that a guest and threads can bring to one.
  void Drain();

 private:
  void GuestStep(char command, fuzzing::Script& script);
  void HostStep(char command, fuzzing::Script& script);
  void ThreadStep(char command, CpuId cpu);

  // Accesses to ports, each checked.
  std::uint64_t Read(std::uint64_t offset, std::size_t width);
  void Write(std::uint64_t offset, std::size_t width, std::uint64_t value);
  static bool IsInside(std::uint64_t offset, std::size_t width) {
    return offset < kBlockSize && width <= kBlockSize - offset;
  }
  void Scan();
  void Ost(std::uint64_t cpu, std::uint64_t event, std::uint64_t status);

  // Requests, whose answers are checked.
  template <typename Request>
  void Ask(std::set<ErrorCode> refusals, Request request);
  void Want(std::uint64_t mask);
  void Notice();

  void EndThread(CpuId cpu, vcpu::ThreadEnd::Kind kind);
  void BeginReset();
  void FinishResetIfStopped();

  TestBench bench_;
  RegisterModel model_;
  devices::Bus ports_;
  std::set<CpuId> ended_;  // threads that have, and were not joined yet
  bool resetting_ = false;
  std::size_t requests_ = 0;
};

bool Story::Step(char command, fuzzing::Script& script) {
  if (command >= 'a') {
    const int changes = bench_.listener.operation_changes;
    GuestStep(command, script);
    model_.RequireSame();
    Require(bench_.listener.operation_changes == changes,
            "an access by the guest changed an operation on the guest's thread");
  } else {
    HostStep(command, script);
    model_.TakeOver();
  }
  Require(bench_.line.high() == model_.event_waits(),
          "the interrupt line is {:d}, events wait: {:d}", bench_.line.high(),
          model_.event_waits());
  std::erase_if(ended_, [this](CpuId cpu) { return !bench_.vcpus.at(cpu)->has_thread(); });
  RequireInvariants(bench_, {.resetting = resetting_, .broken = command == 'B'});
  return command != 'B';
}

void Story::GuestStep(char command, fuzzing::Script& script) {
  const std::uint64_t first = script.Number();
  const std::uint64_t second = script.Number();
  switch (command) {
    case 'r':
      for (std::uint64_t n = std::min(script.Number(1), kMostRepeats); n > 0; --n) {
        Read(first, WidthFrom(second));
      }
      break;
    case 'w': {
      const std::uint64_t value = script.Number();
      for (std::uint64_t n = std::min(script.Number(1), kMostRepeats); n > 0; --n) {
        Write(first, WidthFrom(second), value);
      }
      break;
    }
    case 's':
      Scan();
      break;
    case 'p':
      Write(kSelectorOffset, 4, first);
      Read(kFlagsOffset, 1);
      break;
    case 'e':
      Write(kSelectorOffset, 4, first);
      Write(kFlagsOffset, 1, kFlagEject);
      break;
    case 'o':
      Ost(first, second, script.Number());
      break;
    default:
      break;
  }
}

std::uint64_t Story::Read(std::uint64_t offset, std::size_t width) {
  std::array<std::byte, 8> bytes;
  bytes.fill(std::byte{0x5a});
  const auto port = static_cast<std::uint16_t>(kBasePort + offset);
  offset = static_cast<std::uint16_t>(port - kBasePort);
  ports_.Read(port, std::span(bytes).first(width));
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), width);
  const std::uint64_t expected =
      IsInside(offset, width) ? model_.Read(offset, width) : ~std::uint64_t{0} >> (64 - 8 * width);
  Require(value == expected, "a read of {} bytes at {:#x} gave {:#x}, expected {:#x}", width,
          offset, value, expected);
  return value;
}

void Story::Write(std::uint64_t offset, std::size_t width, std::uint64_t value) {
  const auto port = static_cast<std::uint16_t>(kBasePort + offset);
  offset = static_cast<std::uint16_t>(port - kBasePort);
  ports_.Write(port, std::as_bytes(std::span(&value, 1)).first(width));
  if (IsInside(offset, width)) {
    model_.Write(offset, width, value);
  }
}

void Story::Scan() {
  for (std::uint32_t i = 0; i <= 2 * bench_.registers.cpu_count(); ++i) {
    Write(kCommandOffset, 1, kCommandNextWithEvent);
    const std::uint64_t flags = Read(kFlagsOffset, 1);
    if ((flags & (kFlagInsertEvent | kFlagRemoveEvent)) == 0) {
      return;
    }
    Read(kCommandDataOffset, 4);
    Write(kFlagsOffset, 1, (flags & kFlagInsertEvent) != 0 ? kFlagInsertEvent : kFlagRemoveEvent);
  }
  fuzzing::Found("a scan finds events without end");
}

void Story::Ost(std::uint64_t cpu, std::uint64_t event, std::uint64_t status) {
  Write(kSelectorOffset, 4, cpu);
  Write(kCommandOffset, 1, kCommandOstEvent);
  Write(kCommandDataOffset, 4, event);
  Write(kCommandOffset, 1, kCommandOstStatus);
  Write(kCommandDataOffset, 4, status);
}

void Story::HostStep(char command, fuzzing::Script& script) {
  const std::uint64_t number = script.Number();
  const CpuId cpu = static_cast<CpuId>(number % (bench_.controller.max() + 1));  // one too many
  HotplugController& controller = bench_.controller;
  switch (command) {
    case 'P':
      Ask({ErrorCode::kInvalidArgument, ErrorCode::kBusy}, [&] {
        return controller.Add(cpu, number % 2 == 0 ? "even" : "", DeadlineFrom(script.Number()));
      });
      break;
    case 'U':
      Ask({ErrorCode::kInvalidArgument, ErrorCode::kBusy, ErrorCode::kNotFound},
          [&] { return controller.Remove(cpu, DeadlineFrom(script.Number())); });
      break;
    case 'W':
      Want(number);
      break;
    case 'C':
      Ask({ErrorCode::kNotFound, ErrorCode::kBusy}, [&] { return controller.Cancel(number); });
      break;
    case 'X':
      controller.HandleDeadlines(Operation::Clock::now() +
                                 DeadlineFrom(number).value_or(2 * kLongestDeadline));
      break;
    case 'N':
      Notice();
      break;
    case 'R':
      BeginReset();
      FinishResetIfStopped();
      break;
    case 'H':
      controller.PauseDeadlines();
      break;
    case 'G':
      controller.ResumeDeadlines();
      break;
    default:
      ThreadStep(command, cpu);
  }
}

// What comes from a vCPU's thread, as long as it runs.
void Story::ThreadStep(char command, CpuId cpu) {
  const auto found = bench_.vcpus.find(cpu);
  if (found == bench_.vcpus.end() || !found->second->has_thread() || ended_.contains(cpu)) {
    return;
  }
  switch (command) {
    case 'E':
      if (found->second->stop_requested()) {
        EndThread(cpu, vcpu::ThreadEnd::Kind::kStopped);
      }
      break;
    case 'T':
      EndThread(cpu, vcpu::ThreadEnd::Kind::kTripleFault);
      break;
    case 'B':
      EndThread(cpu, vcpu::ThreadEnd::Kind::kBroken);
      break;
    case 'S':
      bench_.controller.HandleThreadStarted(cpu);
      break;
    case 'L':
      bench_.controller.HandleBooting(cpu);
      break;
    case 'A':
    case 'D':
      bench_.guest_arms = true;
      bench_.controller.HandleOnline(cpu, command == 'A');
      break;
    default:
      break;
  }
}

template <typename Request>
void Story::Ask(std::set<ErrorCode> refusals, Request request) {
  ++requests_;
  const CpuSet wanted = bench_.controller.wanted();
  const std::uint32_t pending = bench_.pending_count();
  const auto answer = request();
  if (!answer) {
    Require(refusals.contains(answer.error().code), "refused for no good reason: {}",
            answer.error().message);
    Require(bench_.controller.wanted() == wanted && bench_.pending_count() == pending,
            "refused, and yet something changed: {}", answer.error().message);
  }
}

void Story::Want(std::uint64_t mask) {
  CpuSet wanted;
  for (CpuId cpu = 0; cpu <= bench_.controller.max(); ++cpu) {
    if (((mask >> cpu) & 1) != 0) {
      wanted.Insert(cpu);
    }
  }
  Ask({ErrorCode::kInvalidArgument, ErrorCode::kBusy}, [&] {
    auto answer = bench_.controller.SetWanted(wanted);
    Require(!answer || bench_.controller.wanted() == wanted, "{} is wanted, and {} was asked for",
            bench_.controller.wanted().ToString(), wanted.ToString());
    return answer;
  });
}

/// The queue is bounded, whatever the guest writes.
void Story::Notice() {
  const auto waiting = bench_.intents->Take();
  const auto reports = std::ranges::count(waiting, IntentKind::kOst, &Intent::kind);
  Require(static_cast<std::size_t>(reports) <= kMostWaitingOst, "{} _OST reports wait", reports);
  // Each request has one event, and at most one ejection.
  Require(waiting.size() - static_cast<std::size_t>(reports) <=
              2 * bench_.controller.max() * (1 + requests_),
          "{} intents wait after {} requests", waiting.size(), requests_);
  for (const Intent& intent : waiting) {
    bench_.intents->Post(intent);
  }
  bench_.Settle();
}

void Story::EndThread(CpuId cpu, vcpu::ThreadEnd::Kind kind) {
  ended_.insert(cpu);
  bench_.controller.HandleThreadEnded(cpu, {.kind = kind, .description = "fuzz"});
  if (kind == vcpu::ThreadEnd::Kind::kTripleFault) {
    BeginReset();
  }
  FinishResetIfStopped();
}

void Story::BeginReset() {
  if (!std::exchange(resetting_, true)) {
    bench_.controller.BeginReset();
  }
}

void Story::FinishResetIfStopped() {
  if (!resetting_ || !bench_.controller.all_stopped()) {
    return;
  }
  resetting_ = false;
  bench_.guest_arms = false;
  const auto present = bench_.controller.FinishReset();
  Require(present.has_value(), "the reset fails");
  Require(*present == bench_.present(), "{} are present after the reset, {} was announced",
          bench_.present().ToString(), present->ToString());
  Must(bench_.controller.StartAll());
  model_.Reset();
}

void Story::Drain() {
  if (resetting_) {
    bench_.EndThreads();
    FinishResetIfStopped();
    Require(!resetting_, "a reset does not end when all threads have");
  }
  // Each round ends at least what is under way of each vCPU, of which there are two at most.
  for (int round = 0; round < 6 && bench_.pending_count() > 0; ++round) {
    bench_.Obey();
    std::map<CpuId, std::uint32_t> unanswered;
    for (const Operation& operation : bench_.controller.operations()) {
      if (operation.pending() && operation.acknowledged()) {
        unanswered[operation.cpu] = operation.kind == OperationKind::kAdd ? 1 : 3;
      }
    }
    for (const auto& [cpu, notification] : unanswered) {
      bench_.Answer(cpu, notification);
    }
  }
  bench_.Obey();
  RequireAtRest(bench_);
}

}  // namespace
}  // namespace tidevm::hotplug

std::span<const std::string_view> tidevm::fuzzing::Vocabulary() {
  static constexpr std::string_view kCommands[] = {
      "read 4 1",     "read 8 4",    "read % #",    "write 0 4 #",  "write 0 4 $", "write 4 1 #",
      "write 4 1 8",  "write 5 1 #", "write 8 4 #", "write % # $",  "scan",        "probe #",
      "eject #",      "eject $",     "ost # 1 0",   "ost # 1 0x80", "ost # 3 0",   "ost # 3 0x82",
      "ost # 3 0x84", "Plug #",      "Plug # 5",    "Unplug #",     "Unplug # 5",  "Want 0x1",
      "Want 0x%",     "Cancel #",    "Cancel %",    "Xpire 10",     "Xpire",       "Notice",
      "Ended #",      "Started #",   "Left #",      "Arm #",        "Disarm #",    "Triple #",
      "Reset",        "Hold",        "Go"};
  return kCommands;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm;
  fuzzing::Script script(std::string_view(reinterpret_cast<const char*>(data), size));
  std::optional<char> command = script.Next();
  std::uint64_t max = 3;
  std::uint64_t boot = 2;
  if (command == 'M') {
    max = 1 + (script.Number() + 7) % 8;
    boot = 1 + (script.Number() + max - 1) % max;
    command = script.Next();
  }
  hotplug::Story story(static_cast<std::uint32_t>(max), static_cast<std::uint32_t>(boot));
  for (int steps = 0; command; command = script.Next()) {
    if (++steps > hotplug::kMostSteps || !story.Step(*command, script)) {
      return 0;
    }
  }
  story.Drain();
  return 0;
}
