#include "vmm/sandbox/allow_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>

#include "vmm/sandbox/call_name.h"
#include "vmm/sandbox/filter.h"

namespace tidevm::sandbox {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr ProcessFacts kFacts{.pid = 4711, .removes_socket = true};
constexpr std::array kKinds = {ThreadKind::kMachine, ThreadKind::kVcpu};

bool SameConditions(const CallRule& one, const CallRule& other) {
  return std::ranges::equal(
      one.conditions, other.conditions, [](const Condition& a, const Condition& b) {
        return a.argument == b.argument && a.mask == b.mask && a.value == b.value;
      });
}

TEST(AllowList, EveryRuleIsOfAKnownCallAndSaysWhatItAsksFor) {
  for (const ThreadKind kind : kKinds) {
    for (const CallRule& rule : RulesOf(kind, kFacts)) {
      EXPECT_NE(CallName(rule.number), "") << rule.number;
      EXPECT_TRUE(rule.number == SYS_ioctl || !rule.why.empty()) << CallName(rule.number);
      for (const Condition& condition : rule.conditions) {
        EXPECT_THAT(condition.meaning, Not(testing::AnyOf("", HasSubstr("(")))) << "no name";
        EXPECT_LT(condition.argument, 6U);
        EXPECT_EQ(condition.value & ~condition.mask, 0U) << "never true: " << condition.meaning;
      }
    }
  }
}

TEST(AllowList, NoRuleIsThereTwiceOrMadeUselessByAnother) {
  for (const ThreadKind kind : kKinds) {
    const auto rules = RulesOf(kind, kFacts);
    for (auto one = rules.begin(); one != rules.end(); ++one) {
      for (auto other = rules.begin(); other != one; ++other) {
        if (one->number == other->number) {
          EXPECT_FALSE(one->conditions.empty() || other->conditions.empty())
              << CallName(one->number);
          EXPECT_FALSE(SameConditions(*one, *other)) << CallName(one->number);
        }
      }
    }
  }
}

TEST(AllowList, IoctlsAreAllowedByRequestOnly) {
  for (const ThreadKind kind : kKinds) {
    for (const CallRule& rule : RulesOf(kind, kFacts)) {
      if (rule.number == SYS_ioctl) {
        ASSERT_EQ(rule.conditions.size(), 1U);
        EXPECT_EQ(rule.conditions[0].argument, 1U);
        EXPECT_EQ(rule.conditions[0].mask, 0xffffffffU);
      }
    }
  }
}

// Filters are inherited, so anything else would not work.
TEST(AllowList, OfAVcpuThreadIsPartOfTheMachineThreads) {
  const auto machine = RulesOf(ThreadKind::kMachine, kFacts);
  for (const CallRule& rule : RulesOf(ThreadKind::kVcpu, kFacts)) {
    EXPECT_TRUE(std::ranges::any_of(machine, [&](const CallRule& candidate) {
      return candidate.number == rule.number && SameConditions(candidate, rule);
    })) << CallName(rule.number);
  }
}

TEST(AllowList, CanBeCompiled) {
  for (const ThreadKind kind : kKinds) {
    for (const Violation violation : {Violation::kTrap, Violation::kLog}) {
      const auto filter = Filter::Compile(RulesOf(kind, kFacts), violation);
      EXPECT_TRUE(filter.has_value()) << filter.error().message;
    }
  }
}

TEST(AllowList, IsPrintedWithItsNumbersAndConditions) {
  const std::string text = DescribeAllowLists();
  const std::size_t vcpu = text.find("\nvcpu threads: ");
  ASSERT_NE(vcpu, std::string::npos);
  const std::string machine_part = text.substr(0, vcpu);
  const std::string vcpu_part = text.substr(vcpu);
  EXPECT_THAT(machine_part, HasSubstr(fmt::format("machine threads: {} system calls\n",
                                                  CountCalls(RulesOf(ThreadKind::kMachine, {})))));
  EXPECT_THAT(machine_part, HasSubstr("\n  accept4\n"));
  EXPECT_THAT(machine_part, HasSubstr("\n  clone: a thread, no process\n"));
  EXPECT_THAT(machine_part, Not(HasSubstr("clone3")));
  EXPECT_THAT(machine_part, HasSubstr("KVM_CREATE_VCPU"));
  EXPECT_THAT(vcpu_part, HasSubstr("KVM_RUN"));
  EXPECT_THAT(vcpu_part, Not(HasSubstr("KVM_CREATE_VCPU")));
  EXPECT_THAT(vcpu_part, Not(HasSubstr("accept4")));
}

}  // namespace
}  // namespace tidevm::sandbox
