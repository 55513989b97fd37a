// Every interleaving of requests, guest and threads to a fixed depth, two hot CPUs, with the
// invariants checked after each step. States met before are not walked again.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {
namespace {

using vcpu::VcpuState;

enum class Act {
  kAdd,
  kRemove,
  kEject,
  kVerify,  // the guest looks whether what it ejected is gone
  kOstAdded,
  kOstAddRefused,
  kOstRemoveRefused,
  kArm,
  kDisarm,
  kCancel,  // what was asked for last
  kThreadEnds,
  kBreaks,  // the thread ends by itself, of a CPU that the guest does not run on
  kScan,    // for all CPUs
  kSettle,  // the machine thread takes notice of what the guest did
  kReset,
  kExpire,  // every deadline
};

struct Step {
  Act act = Act::kScan;
  CpuId cpu = 0;
};

using Path = std::vector<Step>;

std::string Describe(const Path& path) {
  constexpr const char* kNames[] = {
      "add",    "remove", "eject", "verify", "ost-added", "ost-add-no", "ost-remove-no", "arm",
      "disarm", "cancel", "ended", "breaks", "scan",      "settle",     "reset",         "expire"};
  std::string text;
  for (const auto& [act, cpu] : path) {
    text += fmt::format("{} {}; ", kNames[static_cast<std::size_t>(act)], cpu);
  }
  return text;
}

/// One run of the machine, from the start.
class Model {
 public:
  explicit Model(bool guest_arms) {
    if (guest_arms) {
      bench_.GuestArms();
    }
  }

  void Do(Step step) {
    const auto& [act, cpu] = step;
    const bool was_present = bench_.registers.flags(cpu).present;
    bool did_something = false;  // that the machine thread has yet to take notice of
    const bool asked = Current(cpu) != nullptr && Current(cpu)->kind == OperationKind::kRemove;
    switch (act) {
      case Act::kAdd:
        static_cast<void>(bench_.controller.Add(cpu, {}));
        break;
      case Act::kRemove:
        static_cast<void>(bench_.controller.Remove(cpu));
        break;
      case Act::kEject:
        bench_.guest.EjectOnly(cpu);
        did_something = bench_.registers.flags(cpu).present != was_present;
        EXPECT_TRUE(asked || !did_something) << "ejected, and nobody asked";
        break;
      case Act::kVerify:
        bench_.guest.IsPresent(cpu);
        break;
      case Act::kOstAdded:
        bench_.guest.Ost(cpu, 1, 0);
        did_something = true;
        break;
      case Act::kOstAddRefused:
        bench_.guest.Ost(cpu, 1, 1);
        did_something = true;
        break;
      case Act::kOstRemoveRefused:
        bench_.guest.Ost(cpu, 3, 0x82);
        did_something = true;
        break;
      case Act::kArm:
      case Act::kDisarm:
        bench_.controller.HandleOnline(cpu, act == Act::kArm);
        break;
      case Act::kCancel:
        static_cast<void>(bench_.controller.Cancel(Pending(cpu).back()->id));
        break;
      case Act::kExpire:
        bench_.LetTimePass();
        break;
      case Act::kThreadEnds:
        bench_.controller.HandleThreadEnded(cpu, {});
        break;
      case Act::kBreaks:
        EXPECT_TRUE(bench_.controller.HandleThreadEnded(
            cpu, {.kind = vcpu::ThreadEnd::Kind::kBroken, .description = "broken"}));
        break;
      case Act::kScan:
        did_something = !bench_.guest.Scan().empty();
        break;
      case Act::kSettle:
        bench_.Settle();
        break;
      case Act::kReset:
        bench_.ResetGuest();
        bench_.Arm(0, true);
        break;
    }
    // What waits in the intent queue is told by what the guest did since it was last taken.
    if (act == Act::kSettle || act == Act::kReset) {
      unsettled_.clear();
    } else if (did_something) {
      unsettled_.push_back(step);
    }
  }

  /// Whether it is worth trying: the rest is known to change nothing.
  bool CanDo(Step step) const {
    switch (step.act) {
      case Act::kThreadEnds:
        return CanEnd(step.cpu);
      case Act::kArm:
      case Act::kDisarm: {
        const CpuView view = bench_.controller.View(step.cpu);
        return bench_.guest_arms && view.thread_id && view.state != VcpuState::kFailed &&
               view.online != (step.act == Act::kArm);
      }
      case Act::kVerify:
        return bench_.registers.eject_unverified(step.cpu);
      case Act::kBreaks:
        return CanBreak(step.cpu);
      case Act::kCancel:
        return !Pending(step.cpu).empty();
      case Act::kExpire:
        return bench_.pending_count() > 0;
      case Act::kSettle:
        return !unsettled_.empty();
      case Act::kOstAdded:
      case Act::kOstAddRefused:
      case Act::kOstRemoveRefused:
        return !Pending(step.cpu).empty() && unsettled_.size() < 3;
      default:
        return true;
    }
  }

  std::string Signature() const {
    std::string text = Describe(unsettled_);
    for (CpuId cpu = 1; cpu <= 2; ++cpu) {
      const CpuView view = bench_.controller.View(cpu);
      text +=
          fmt::format("| {} {} {} {} {} {}{}{}{}{} {}", view.wanted, view.online == true,
                      bench_.controller.guest_relies_on(cpu), view.registered == true,
                      ToString(view.state), int{view.flags.present}, int{view.flags.insert_event},
                      int{view.flags.remove_event}, int{view.flags.eject_authorised},
                      int{bench_.registers.eject_unverified(cpu)}, CanEnd(cpu));
      for (const Operation* operation : Pending(cpu)) {
        text += fmt::format(" {} {}", ToString(operation->kind), operation->acknowledged());
      }
    }
    return text;
  }

  void CheckInvariants() const {
    EXPECT_FALSE(bench_.controller.View(0).flags.eject_authorised);
    EXPECT_TRUE(bench_.registers.flags(0).present);
    bool event = false;
    for (CpuId cpu = 1; cpu <= 2; ++cpu) {
      const CpuFlags flags = bench_.registers.flags(cpu);
      event = event || flags.remove_event ||
              (flags.insert_event && !bench_.registers.eject_unverified(cpu));
      CheckCpu(cpu);
    }
    EXPECT_EQ(bench_.line.high(), event);
    for (const Operation& operation : bench_.controller.operations()) {
      const bool explains =
          operation.outcome != Outcome::kPending && operation.outcome != Outcome::kDone;
      EXPECT_EQ(!operation.reason.empty(), explains);
    }
  }

  /// A guest that answers everything, in the end.
  void Drain() {
    for (int round = 0; round < 6; ++round) {
      bench_.Obey();
      for (CpuId cpu = 1; cpu <= 2; ++cpu) {
        const Operation* const current = Current(cpu);
        if (current != nullptr && current->acknowledged()) {
          bench_.Answer(cpu, current->kind == OperationKind::kAdd ? 1 : 3);
        }
      }
    }
  }

  void CheckDrained() const {
    EXPECT_EQ(bench_.pending_count(), 0U);
    EXPECT_FALSE(bench_.line.high());
    EXPECT_EQ(bench_.present(), bench_.with_thread());
    for (CpuId cpu = 1; cpu <= 2; ++cpu) {
      const bool has_thread = bench_.with_thread().Contains(cpu);
      const CpuView view = bench_.controller.View(cpu);
      EXPECT_TRUE(has_thread == view.wanted || view.state == VcpuState::kFailed ||
                  (has_thread && LastAddCameToNothing(cpu)));
    }
  }

 private:
  bool CanEnd(CpuId cpu) const {
    const auto found = bench_.vcpus.find(cpu);
    return found != bench_.vcpus.end() && found->second->stop_requested();
  }

  bool CanBreak(CpuId cpu) const {
    const CpuView view = bench_.controller.View(cpu);
    return view.thread_id && view.state != VcpuState::kFailed && !CanEnd(cpu) &&
           !bench_.controller.guest_relies_on(cpu);
  }

  /// The one under way first.
  std::vector<const Operation*> Pending(CpuId cpu) const {
    std::vector<const Operation*> pending;
    for (const Operation& operation : bench_.controller.operations()) {
      if (operation.cpu == cpu && operation.pending()) {
        pending.push_back(&operation);
      }
    }
    return pending;
  }

  const Operation* Current(CpuId cpu) const {
    const auto pending = Pending(cpu);
    return pending.empty() ? nullptr : pending.front();
  }

  /// The guest may have kept what the host gave up.
  bool LastAddCameToNothing(CpuId cpu) const {
    Outcome last = Outcome::kPending;
    for (const Operation& operation : bench_.controller.operations()) {
      if (operation.cpu == cpu && operation.kind == OperationKind::kAdd) {
        last = operation.outcome;
      }
    }
    return last == Outcome::kRefused || last == Outcome::kTimedOut || last == Outcome::kCancelled ||
           last == Outcome::kFailed;
  }

  void CheckCpu(CpuId cpu) const {
    const CpuView view = bench_.controller.View(cpu);
    const auto pending = Pending(cpu);
    const bool removing = !pending.empty() && pending.front()->kind == OperationKind::kRemove;
    ASSERT_LE(pending.size(), 2U);
    if (pending.size() == 2) {
      EXPECT_NE(pending[0]->kind, pending[1]->kind);
    }
    if (!pending.empty()) {
      EXPECT_EQ(view.wanted, pending.back()->kind == OperationKind::kAdd);
    } else if (view.wanted) {
      EXPECT_EQ(view.state, VcpuState::kRunning);
      EXPECT_TRUE(view.flags.present);
    } else if (view.flags.present) {
      EXPECT_TRUE(LastAddCameToNothing(cpu) || view.state == VcpuState::kFailed)
          << "plugged, unwanted, not refused";
    }
    if (view.flags.eject_authorised) {
      EXPECT_TRUE(removing);
    }
    if (view.state == VcpuState::kParked || view.state == VcpuState::kAbsent) {
      EXPECT_EQ(view.flags, CpuFlags{});
    }
    if (view.state == VcpuState::kUnplugRequested) {
      EXPECT_TRUE(removing);
    }
    if (view.state == VcpuState::kEjecting) {
      EXPECT_TRUE(removing || LastAddCameToNothing(cpu) || view.wanted);
    }
    if (view.flags.remove_event) {
      EXPECT_TRUE(view.flags.eject_authorised && (view.flags.present || view.flags.insert_event));
    }
  }

  TestBench bench_{3, 2};  // CPU 1 is there from the start, CPU 2 is not
  Path unsettled_;
};

std::vector<Step> AllSteps() {
  std::vector<Step> steps = {
      {Act::kScan, 0}, {Act::kSettle, 0}, {Act::kReset, 0}, {Act::kExpire, 0}};
  for (const CpuId cpu : {1U, 2U}) {
    for (const Act act : {Act::kAdd, Act::kRemove, Act::kEject, Act::kVerify, Act::kOstAdded,
                          Act::kOstAddRefused, Act::kOstRemoveRefused, Act::kArm, Act::kDisarm,
                          Act::kCancel, Act::kThreadEnds, Act::kBreaks}) {
      steps.push_back({act, cpu});
    }
  }
  return steps;
}

// With a sanitizer a step takes some thirty times as long, and the whole walk is the release
// build's.
#if defined(TIDEVM_HAS_TSAN)
constexpr std::size_t kStepsLess = 2;
constexpr std::size_t kStatesAtLeast = 200;
#elif defined(TIDEVM_HAS_ASAN)
constexpr std::size_t kStepsLess = 1;
constexpr std::size_t kStatesAtLeast = 1000;
#else
constexpr std::size_t kStepsLess = 0;
constexpr std::size_t kStatesAtLeast = 5000;
#endif

void WalkAll(bool guest_arms, std::size_t steps) {
  std::set<std::string> seen;
  std::vector<Path> frontier = {{}};
  for (std::size_t depth = kStepsLess; depth < steps; ++depth) {
    std::vector<Path> next;
    for (const Path& path : frontier) {
      for (const Step step : AllSteps()) {
        Model model(guest_arms);
        for (const Step before : path) {
          model.Do(before);
        }
        if (!model.CanDo(step)) {
          continue;
        }
        model.Do(step);
        if (!seen.insert(model.Signature()).second) {
          continue;
        }
        Path longer = path;
        longer.push_back(step);
        model.CheckInvariants();
        model.Drain();
        model.CheckInvariants();
        model.CheckDrained();
        ASSERT_FALSE(testing::Test::HasFailure()) << Describe(longer);
        next.push_back(std::move(longer));
      }
    }
    frontier = std::move(next);
  }
  EXPECT_GT(seen.size(), kStatesAtLeast) << "the model has lost its legs";
}

TEST(HotplugModel, EveryInterleavingKeepsTheInvariantsAndDrains) { WalkAll(false, 8); }

TEST(HotplugModel, AlsoWhereTheGuestSaysWhatIsOnline) { WalkAll(true, 7); }

}  // namespace
}  // namespace tidevm::hotplug
