// The commands about vCPUs that start nothing.
#include "tidevm/ids.h"
#include "tools/tidectl/commands.h"
#include "tools/tidectl/numbers.h"

namespace tidevm::tidectl {

int NotAVcpu(Session& session) {
  return ReportUsage(fmt::format("{}: \"{}\" is not a vCPU's number; see 'tidectl vcpus'",
                                 session.options.command, session.options.arguments.front()),
                     session.terminal);
}

int RunVcpus(Session& session) {
  const auto vcpus = session.client.Execute("query-vcpus", {}, session.deadline);
  if (!vcpus) {
    return Report(vcpus.error(), session.terminal);
  }
  Print(session, RenderVcpus(*vcpus), *vcpus);
  return kExitHappened;
}

int RunAffinity(Session& session) {
  const auto cpu = ParseNumber<CpuId>(session.options.arguments.front());
  if (!cpu) {
    return NotAVcpu(session);
  }
  const std::string& host_cpus = session.options.arguments.back();
  const auto answer = session.client.Execute(
      "set-vcpu-affinity", {{"cpu", *cpu}, {"host-cpus", host_cpus}}, session.deadline);
  if (!answer) {
    return Report(answer.error(), session.terminal);
  }
  Print(session, fmt::format("vCPU {} runs on host CPUs {}\n", *cpu, host_cpus), *answer);
  return kExitHappened;
}

}  // namespace tidevm::tidectl
