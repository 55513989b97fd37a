// The allow-lists, for people.
#include <seccomp.h>
#include <spdlog/fmt/fmt.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "vmm/sandbox/allow_list.h"
#include "vmm/sandbox/call_name.h"

namespace tidevm::sandbox {
namespace {

std::string ConditionsOf(const CallRule& rule) {
  std::string text;
  for (const Condition& condition : rule.conditions) {
    text += fmt::format("{}{}", text.empty() ? "" : " and ", condition.meaning);
  }
  return text;
}

/// "name", or "name: what one of its rules asks for, what another one does".
std::map<std::string, std::string> LinesOf(const std::vector<CallRule>& rules) {
  std::map<std::string, std::string> lines;
  for (const CallRule& rule : rules) {
    if (rule.answer != 0) {
      continue;
    }
    std::string& line = lines[CallName(rule.number)];
    if (const std::string conditions = ConditionsOf(rule); !conditions.empty()) {
      line += fmt::format("{}{}", line.empty() ? ": " : ", ", conditions);
    }
  }
  return lines;
}

}  // namespace

std::string CallName(int number) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> name(
      ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number));
  return name == nullptr ? std::string() : name.get();
}

std::string DescribeAllowLists() {
  std::string text;
  for (const ThreadKind kind : {ThreadKind::kMachine, ThreadKind::kVcpu}) {
    const std::vector<CallRule> rules = RulesOf(kind, {});
    text += fmt::format("{}{} threads: {} system calls\n", text.empty() ? "" : "\n", ToString(kind),
                        CountCalls(rules));
    for (const auto& [name, conditions] : LinesOf(rules)) {
      text += fmt::format("  {}{}\n", name, conditions);
    }
  }
  return text;
}

}  // namespace tidevm::sandbox
