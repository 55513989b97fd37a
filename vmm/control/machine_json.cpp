#include "vmm/control/machine_json.h"

namespace tidevm::control {
std::string_view YesNoUnknown(const std::optional<bool>& value) {
  if (!value) {
    return "unknown";
  }
  return *value ? "yes" : "no";
}

std::string_view ToString(RunState state) {
  switch (state) {
    case RunState::kPrelaunch:
      return "prelaunch";
    case RunState::kRunning:
      return "running";
    case RunState::kPaused:
      return "paused";
    case RunState::kShutdown:
      return "shutdown";
    case RunState::kGuestPanicked:
      return "guest-panicked";
    case RunState::kInternalError:
      return "internal-error";
  }
  return "internal-error";
}

bool IsPlugged(const VcpuStatus& vcpu) {
  return vcpu.wanted || vcpu.acpi_present || vcpu.thread_id.has_value();
}

std::string QomPath(std::string_view device_id, CpuId cpu, bool boot_cpu) {
  if (!device_id.empty()) {
    return fmt::format("/machine/peripheral/{}", device_id);
  }
  return boot_cpu ? fmt::format("/machine/unattached/device[{}]", cpu)
                  : fmt::format("/machine/peripheral-anon/device[{}]", cpu);
}

std::string QomPath(const VcpuStatus& vcpu, const MachineInfo& info) {
  return QomPath(vcpu.device_id, vcpu.cpu, vcpu.cpu < info.boot_cpus);
}

Json ToJson(const CpuPlace& place) {
  return {{"socket-id", place.socket}, {"core-id", place.core}, {"thread-id", place.thread}};
}

Json ToJson(const OperationStatus& operation) {
  Json phases = Json::array();
  for (const PhaseTime& phase : operation.phases) {
    phases.push_back({{"phase", phase.phase}, {"since-request-ns", phase.since_request.count()}});
  }
  Json json = {{"id", operation.id},          {"kind", ToString(operation.kind)},
               {"cpu", operation.cpu},        {"outcome", ToString(operation.outcome)},
               {"phases", std::move(phases)}, {"deadline-ms", operation.deadline.count()}};
  if (!operation.reason.empty()) {
    json["reason"] = operation.reason;
  }
  return json;
}

Json ToCpuInfoFast(const VcpuStatus& vcpu, const MachineInfo& info) {
  return {{"cpu-index", vcpu.cpu},
          {"qom-path", QomPath(vcpu, info)},
          {"thread-id", vcpu.thread_id.value_or(0)},
          {"props", ToJson(vcpu.place)},
          {"target", "x86_64"}};
}

Json ToHotpluggableCpu(const VcpuStatus& vcpu, const MachineInfo& info) {
  Json json = {{"type", kCpuType}, {"vcpus-count", 1}, {"props", ToJson(vcpu.place)}};
  if (IsPlugged(vcpu)) {
    json["qom-path"] = QomPath(vcpu, info);
  }
  return json;
}

Json ToOstInfo(const VcpuStatus& vcpu) {
  const OstReport report = vcpu.last_ost.value_or(OstReport{});
  Json json = {{"slot", std::to_string(vcpu.cpu)},
               {"slot-type", "CPU"},
               {"source", report.event},
               {"status", report.status}};
  if (!vcpu.device_id.empty()) {
    json["device"] = vcpu.device_id;
  }
  return json;
}

Json ToVcpuInfo(const VcpuStatus& vcpu, const MachineInfo& info) {
  Json json = {{"cpu", vcpu.cpu},
               {"apic-id", vcpu.apic_id},
               {"props", ToJson(vcpu.place)},
               {"wanted", vcpu.wanted},
               {"state", vcpu.state},
               {"cpu-time-ns", vcpu.cpu_time.count()},
               {"acpi-present", vcpu.acpi_present},
               {"insert-event", vcpu.insert_event},
               {"remove-event", vcpu.remove_event},
               {"registered", YesNoUnknown(vcpu.registered)},
               {"online", YesNoUnknown(vcpu.online)}};
  if (vcpu.thread_id) {
    json["thread-id"] = *vcpu.thread_id;
  }
  if (vcpu.affinity) {
    json["affinity"] = vcpu.affinity->ToString();
  }
  if (vcpu.last_ost) {
    json["last-ost"] = {{"source", vcpu.last_ost->event}, {"status", vcpu.last_ost->status}};
  }
  if (!vcpu.device_id.empty()) {
    json["device-id"] = vcpu.device_id;
  }
  if (IsPlugged(vcpu)) {
    json["qom-path"] = QomPath(vcpu, info);
  }
  return json;
}

}  // namespace tidevm::control
