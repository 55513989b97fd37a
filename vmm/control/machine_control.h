// What the control plane may ask of a machine, and what a machine tells it. The machine implements
// MachineControl; the commands see nothing else of it.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidevm/cpu_set.h"
#include "tidevm/ids.h"
#include "tidevm/result.h"
#include "tidevm/vcpu_request.h"

namespace tidevm::control {

/// QMP's RunState, the part of it that tidevm has.
enum class RunState { kPrelaunch, kRunning, kPaused, kShutdown, kGuestPanicked, kInternalError };

/// Place of a vCPU in the topology, as query-hotpluggable-cpus and device_add name it.
struct CpuPlace {
  std::uint32_t socket = 0;
  std::uint32_t core = 0;
  std::uint32_t thread = 0;
  friend bool operator==(const CpuPlace&, const CpuPlace&) = default;
};

/// A phase that was reached, and when: nanoseconds of CLOCK_MONOTONIC since the request.
struct PhaseTime {
  std::string_view phase;  // "requested", "notified", ...: control-plane.md names them
  std::chrono::nanoseconds since_request{};
};

/// One request to add or remove one vCPU, as far as it came.
struct OperationStatus {
  std::uint64_t id = 0;
  OperationKind kind = OperationKind::kAdd;
  CpuId cpu = 0;
  Outcome outcome = Outcome::kPending;
  std::string reason;  // why not, for people; empty while pending and when done
  std::vector<PhaseTime> phases;
  std::chrono::milliseconds deadline{};  // since the request
};

/// All that is known of one possible vCPU, side by side; nothing is inferred from another field.
struct VcpuStatus {
  CpuId cpu = 0;
  std::uint32_t apic_id = 0;
  CpuPlace place;
  bool wanted = false;                  // the host wants it plugged
  std::string_view state;               // vCPU state: "absent", "running", "parked", ...
  std::optional<pid_t> thread_id;       // host thread, where there is one
  std::chrono::nanoseconds cpu_time{};  // of that thread
  bool acpi_present = false;            // _STA
  bool insert_event = false;            // asked for, not yet acknowledged by the guest
  bool remove_event = false;
  std::optional<bool> registered;  // by the guest's _OST; nullopt: it never said
  std::optional<bool> online;      // by the KVM paravirtual MSRs; nullopt: the guest has none
  std::optional<CpuSet> affinity;  // host CPUs of the thread, where there is one
  std::optional<OstReport> last_ost;
  std::string device_id;  // device_add's id, or "" where there is none
};

struct MachineInfo {
  std::string name;
  std::uint32_t boot_cpus = 0;
  std::uint32_t max_cpus = 0;
  std::uint32_t sockets = 0;
  std::uint32_t cores = 0;
  std::uint32_t threads = 0;
};

/// What set-vcpus started; empty where the wanted set already was.
struct SetVcpusResult {
  CpuSet wanted;
  std::vector<OperationStatus> operations;
};

/// A histogram of durations as Prometheus has them: `counts[i]` took at most `bounds[i]` and more
/// than the bound before it; the last of `counts`, one longer than `bounds`, all the rest.
struct LatencyHistogram {
  std::vector<std::chrono::nanoseconds> bounds;
  std::vector<std::uint64_t> counts;
  std::chrono::nanoseconds sum{};
};

struct OperationCount {
  OperationKind kind = OperationKind::kAdd;
  Outcome outcome = Outcome::kPending;
  std::uint64_t count = 0;
};
/// Request to phase, over all operations that reached it.
struct PhaseLatency {
  OperationKind kind = OperationKind::kAdd;
  std::string_view phase;
  LatencyHistogram latency;
};
struct ExitCount {
  std::string_view kind;  // "io", "mmio", "msr", ...
  std::uint64_t count = 0;
};
/// Of one vCPU over the life of the process, all its threads together.
struct VcpuMetrics {
  CpuId cpu = 0;
  std::chrono::nanoseconds cpu_time{};
  std::vector<ExitCount> exits;  // every kind, zeros included
};

struct Metrics {
  std::vector<OperationCount> operations;  // every kind and outcome, zeros included
  std::vector<PhaseLatency> phases;        // every phase of each kind
  std::vector<VcpuMetrics> vcpus;          // those that were ever created
};

/// Implemented by the machine. Machine thread only. Nothing here blocks on a vCPU; errors are for
/// the client: kInvalidArgument, kNotFound, kBusy and the like, message complete.
class MachineControl {
 public:
  MachineControl() = default;
  MachineControl(const MachineControl&) = delete;
  MachineControl& operator=(const MachineControl&) = delete;
  virtual ~MachineControl() = default;

  virtual MachineInfo info() const = 0;
  virtual RunState run_state() const = 0;
  virtual std::vector<VcpuStatus> vcpus() const = 0;
  /// Pending ones, and those that ended lately, oldest first.
  virtual std::vector<OperationStatus> operations() const = 0;

  /// Starts adding `cpu`. `device_id` may be empty. The answer is the operation as just begun.
  virtual Result<OperationStatus> AddVcpu(CpuId cpu, std::string device_id, Deadline deadline) = 0;
  /// Asks the guest to give `cpu` up.
  virtual Result<OperationStatus> RemoveVcpu(CpuId cpu, Deadline deadline) = 0;
  /// Starts what leads from the present wanted set to `wanted`; checked whole before it begins.
  virtual Result<SetVcpusResult> SetVcpus(const CpuSet& wanted, Deadline deadline) = 0;
  /// Ends a pending operation. kNotFound: no pending one has this id. kBusy: it has come too far to
  /// be taken back; the message says what can be done instead.
  virtual Result<OperationStatus> CancelOperation(std::uint64_t id) = 0;
  /// The set that a count means: the wanted set grown by the lowest free ids, or shrunk from the
  /// highest.
  virtual Result<CpuSet> CpuSetForCount(std::uint32_t count) const = 0;

  /// Binds the vCPU's thread to `host_cpus`, now and whenever it is started again.
  /// kInvalidArgument: no such vCPU, or none of `host_cpus` is one that this process may use.
  virtual Result<void> SetAffinity(CpuId cpu, const CpuSet& host_cpus) = 0;
  virtual Metrics metrics() const = 0;

  /// Pauses every vCPU; `done` is called on the machine thread when each has left KVM_RUN.
  virtual void Stop(std::function<void()> done) = 0;
  virtual Result<void> Continue() = 0;
  virtual Result<void> Powerdown() = 0;  // presses the power button
  virtual Result<void> Reset() = 0;
  virtual void Quit() = 0;  // ends the VM at once
};

}  // namespace tidevm::control
