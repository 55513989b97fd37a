// The commands that start operations on vCPUs, and those about operations.
#include <algorithm>
#include <limits>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "tools/tidectl/commands.h"
#include "tools/tidectl/follow.h"
#include "tools/tidectl/numbers.h"

namespace tidevm::tidectl {
namespace {

std::string DescribeOperation(const Json& operation) {
  return fmt::format("{} vCPU {} (operation {})", operation.value("kind", "?"),
                     operation.value("cpu", 0), operation.value("id", 0));
}

// An operation that someone else has started counts too: "--wait" says that the wanted set is
// reached, and it is not while one of them is still on its way.
CallResult<Json> WithPending(Session& session, Json operations) {
  auto all = session.client.Execute("query-vcpu-operations", {}, session.deadline);
  if (!all) {
    return all;
  }
  for (const Json& operation : *all) {
    const bool known = std::any_of(operations.begin(), operations.end(), [&](const Json& other) {
      return other.value("id", 0) == operation.value("id", 0);
    });
    if (!known && operation.value("outcome", "") == "pending") {
      operations.push_back(operation);
    }
  }
  return operations;
}

// The newest operation of this kind on this CPU. device_add and device_del answer {} as QEMU's do,
// so this is how to learn which one they started.
CallResult<Json> NewestOperation(Session& session, CpuId cpu, std::string_view kind) {
  auto all = session.client.Execute("query-vcpu-operations", {}, session.deadline);
  if (!all) {
    return all;
  }
  Json newest;
  for (const Json& operation : *all) {
    if (operation.value("cpu", CpuId{0}) == cpu && operation.value("kind", "") == kind &&
        (newest.is_null() || operation.value("id", 0) > newest.value("id", 0))) {
      newest = operation;
    }
  }
  if (newest.is_null()) {
    return tl::make_unexpected(Failure{
        FailureKind::kRefused, fmt::format("the VM does not know an operation on vCPU {}", cpu)});
  }
  return newest;
}

Json WithDeadline(const Session& session, Json arguments) {
  if (session.options.deadline) {
    arguments["timeout-ms"] = session.options.deadline->count();
  }
  return arguments;
}

CallResult<Json> FindVcpu(Session& session, CpuId cpu) {
  auto vcpus = session.client.Execute("query-vcpus", {}, session.deadline);
  if (!vcpus) {
    return vcpus;
  }
  for (const Json& vcpu : *vcpus) {
    if (vcpu.value("cpu", CpuId{0}) == cpu) {
      return vcpu;
    }
  }
  return tl::make_unexpected(Failure{
      FailureKind::kRefused,
      fmt::format("there is no vCPU {}; the highest is {}", cpu, std::int64_t(vcpus->size()) - 1)});
}

// Sends device_add or device_del, then shows or follows what it started.
int StartOne(Session& session, CpuId cpu, std::string_view kind, const std::string& command,
             Json arguments) {
  if (auto done = session.client.Execute(command, WithDeadline(session, std::move(arguments)),
                                         session.deadline);
      !done) {
    return Report(done.error(), session.terminal);
  }
  const auto operation = NewestOperation(session, cpu, kind);
  if (!operation) {
    return Report(operation.error(), session.terminal);
  }
  if (session.options.wait != WaitFor::kNothing) {
    return Finish(session, Follow(session, Json::array({*operation})));
  }
  Print(session, fmt::format("started: {}\n", DescribeOperation(*operation)), *operation);
  return kExitHappened;
}

// set-vcpus has answered; waits for what it and others have started, and for what --wait adds.
int AwaitSet(Session& session, const Json& answer, const Json& operations) {
  const auto all = WithPending(session, operations);
  if (!all) {
    return Report(all.error(), session.terminal);
  }
  const std::string wanted = answer.value("wanted", "?");
  const bool online = session.options.wait == WaitFor::kOnline;
  FollowResult result = Follow(session, *all);
  if (online && result.exit_code == kExitHappened) {
    const auto set = CpuSet::Parse(wanted, std::numeric_limits<std::uint16_t>::max());
    if (!set) {
      return Report({FailureKind::kConnection, set.error().message}, session.terminal);
    }
    AwaitOnline(session, *set, result);
  }
  if (all->empty() && result.exit_code == kExitHappened && !session.options.json) {
    Print(session,
          fmt::format("vCPUs {} {}already; nothing to do\n", wanted, online ? "are online " : ""),
          answer);
  }
  return Finish(session, result);
}

/// One line for each that the host could not even begin.
int ReportFailed(Session& session, const Json& operations) {
  int exit_code = kExitHappened;
  for (const Json& operation : operations) {
    if (operation.value("outcome", "") == "failed") {
      exit_code = Report({FailureKind::kRefused, fmt::format("{}: {}", DescribeOperation(operation),
                                                             operation.value("reason", "?"))},
                         session.terminal);
    }
  }
  return exit_code;
}

}  // namespace

int RunSetVcpus(Session& session) {
  const std::string& wanted = session.options.arguments.front();
  Json arguments = Json::object();
  if (const auto count = ParseNumber<std::int64_t>(wanted)) {
    arguments["count"] = *count;
  } else {
    arguments["cpus"] = wanted;
  }
  const auto answer =
      session.client.Execute("set-vcpus", WithDeadline(session, arguments), session.deadline);
  if (!answer) {
    return Report(answer.error(), session.terminal);
  }
  const Json operations = answer->value("operations", Json::array());
  if (session.options.wait != WaitFor::kNothing) {
    return AwaitSet(session, *answer, operations);
  }
  std::string text;
  if (operations.empty()) {
    text =
        fmt::format("vCPUs {} are wanted already; nothing started\n", answer->value("wanted", "?"));
  } else {
    text = fmt::format("vCPUs {} wanted; started:\n", answer->value("wanted", "?"));
    for (const Json& operation : operations) {
      text += fmt::format("  {}\n", DescribeOperation(operation));
    }
  }
  Print(session, text, *answer);
  return ReportFailed(session, operations);
}

int RunPlug(Session& session) {
  const auto cpu = ParseNumber<CpuId>(session.options.arguments.front());
  if (!cpu) {
    return NotAVcpu(session);
  }
  const auto vcpu = FindVcpu(session, *cpu);
  if (!vcpu) {
    return Report(vcpu.error(), session.terminal);
  }
  const Json props = vcpu->value("props", Json::object());
  const auto slots = session.client.Execute("query-hotpluggable-cpus", {}, session.deadline);
  if (!slots) {
    return Report(slots.error(), session.terminal);
  }
  for (const Json& slot : *slots) {
    if (slot.value("props", Json()) == props) {
      Json arguments = props;
      arguments["driver"] = slot.value("type", "");
      return StartOne(session, *cpu, "add", "device_add", std::move(arguments));
    }
  }
  return Report({FailureKind::kRefused, fmt::format("vCPU {} is not hot-pluggable", *cpu)},
                session.terminal);
}

int RunUnplug(Session& session) {
  const auto cpu = ParseNumber<CpuId>(session.options.arguments.front());
  if (!cpu) {
    return NotAVcpu(session);
  }
  const auto vcpu = FindVcpu(session, *cpu);
  if (!vcpu) {
    return Report(vcpu.error(), session.terminal);
  }
  const auto path = vcpu->find("qom-path");
  if (path == vcpu->end()) {
    return Report({FailureKind::kRefused, fmt::format("vCPU {} is not plugged", *cpu)},
                  session.terminal);
  }
  return StartOne(session, *cpu, "remove", "device_del", {{"id", *path}});
}

int RunOperations(Session& session) {
  const auto operations = session.client.Execute("query-vcpu-operations", {}, session.deadline);
  if (!operations) {
    return Report(operations.error(), session.terminal);
  }
  Print(session, RenderOperations(*operations), *operations);
  return kExitHappened;
}

int RunCancel(Session& session) {
  const std::string& word = session.options.arguments.front();
  const auto id = ParseNumber<std::int64_t>(word);
  if (!id) {
    return ReportUsage(
        fmt::format("cancel: \"{}\" is not an operation's number; see 'tidectl operations'", word),
        session.terminal);
  }
  const auto operation =
      session.client.Execute("cancel-vcpu-operation", {{"id", *id}}, session.deadline);
  if (!operation) {
    return Report(operation.error(), session.terminal);
  }
  const Json phases = operation->value("phases", Json::array());
  Print(session,
        fmt::format("{}: {}, at \"{}\"\n", operation->value("outcome", "?"),
                    DescribeOperation(*operation),
                    phases.empty() ? "?" : phases.back().value("phase", "?")),
        *operation);
  return kExitHappened;
}

}  // namespace tidevm::tidectl
