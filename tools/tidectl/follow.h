// Follows operations to their end.
#pragma once

#include "tidevm/cpu_set.h"
#include "tools/tidectl/commands.h"

namespace tidevm::tidectl {

/// How it went, told to the user already but for the summary that --json ends with.
struct FollowResult {
  int exit_code = kExitHappened;
  Json summary{};  // {"result": "done"|"failed"|"timeout", "operations": [...]}
};

/// Shows each phase of `operations` (entries of query-vcpu-operations) that was reached, then each
/// as it is reached, until all that options.wait asks for is so, or session.deadline. The client
/// must have been connected before the operations were started, so that no event is missing.
FollowResult Follow(Session& session, const Json& operations);

/// Until the guest's online CPUs are `wanted`, or session.deadline. To call when nothing is
/// pending: it is for the guest alone, then. Changes `result` if that is not so.
void AwaitOnline(Session& session, const CpuSet& wanted, FollowResult& result);

/// Prints the summary, with --json; gives the exit code.
int Finish(Session& session, const FollowResult& result);

/// What to do about CPUs that are registered and stay offline. One line, no line end.
std::string OnlineAdvice(const CpuSet& cpus);

}  // namespace tidevm::tidectl
