// Whether what the guest runs on is what is wanted.
#include "tools/tidectl/follow.h"

namespace tidevm::tidectl {
namespace {

struct OnlineCheck {
  CpuSet missing;  // wanted, and the guest says that they are not online
  CpuSet unknown;  // wanted, and the guest does not say
  CpuSet extra;    // online, and not wanted
};

OnlineCheck Check(const Json& vcpus, const CpuSet& wanted) {
  OnlineCheck check;
  for (const Json& vcpu : vcpus) {
    const CpuId cpu = vcpu.value("cpu", CpuId{0});
    const std::string online = vcpu.value("online", "unknown");
    if (!wanted.Contains(cpu)) {
      if (online == "yes") {
        check.extra.Insert(cpu);
      }
    } else if (online != "yes") {
      (online == "no" ? check.missing : check.unknown).Insert(cpu);
    }
  }
  return check;
}

void Fails(Session& session, FollowResult& result, int exit_code, std::string_view word,
           const std::string& message) {
  session.terminal.err << "tidectl: " << message << std::endl;
  result.exit_code = exit_code;
  result.summary["result"] = word;
}

}  // namespace

void AwaitOnline(Session& session, const CpuSet& wanted, FollowResult& result) {
  while (true) {
    const auto vcpus = session.client.Execute("query-vcpus", {}, session.deadline);
    if (!vcpus) {
      result = {Report(vcpus.error(), session.terminal), nullptr};
      return;
    }
    const OnlineCheck check = Check(*vcpus, wanted);
    if (!check.unknown.empty()) {
      Fails(session, result, kExitFailed, "failed",
            fmt::format("vCPU {}: whether it is online this guest does not tell",
                        check.unknown.ToString()));
      return;
    }
    if (check.missing.empty() && check.extra.empty()) {
      return;
    }
    // Whatever the next event is, the machine may be another after it.
    const auto event = session.client.NextEvent(session.deadline);
    if (!event) {
      result = {Report(event.error(), session.terminal), nullptr};
      return;
    }
    if (!*event) {
      Fails(session, result, kExitTimeout, "timeout",
            check.missing.empty()
                ? fmt::format("timed out: vCPU {} is still online", check.extra.ToString())
                : "timed out: " + OnlineAdvice(check.missing));
      return;
    }
  }
}

}  // namespace tidevm::tidectl
