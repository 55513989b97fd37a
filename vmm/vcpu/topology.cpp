#include "vmm/vcpu/topology.h"

#include <bit>

namespace tidevm::vcpu {
namespace {

/// Bits that hold 0 .. count - 1.
std::uint32_t BitsFor(std::uint32_t count) {
  return static_cast<std::uint32_t>(std::bit_width(count - 1));
}

}  // namespace

Result<Topology> Topology::Create(std::uint32_t max, const TopologyRequest& request) {
  const std::uint64_t threads = request.threads != 0 ? request.threads : 1;
  std::uint64_t sockets = request.sockets;
  std::uint64_t cores = request.cores;
  if (sockets == 0 && cores == 0) {
    sockets = 1;
  }
  if (sockets == 0) {
    sockets = max / (cores * threads);
  } else if (cores == 0) {
    cores = max / (sockets * threads);
  }
  // Each factor is at most 2^32, so look before the product can wrap.
  const bool fits = sockets <= max && cores <= max && threads <= max;
  if (!fits || sockets * cores > max || sockets * cores * threads != max) {
    return Fail(ErrorCode::kInvalidArgument,
                "--cpus: sockets={} x cores={} x threads={} is not max={}; leave one of them out, "
                "or make the product equal max",
                sockets, cores, threads, max);
  }
  return Topology(static_cast<std::uint32_t>(sockets), static_cast<std::uint32_t>(cores),
                  static_cast<std::uint32_t>(threads));
}

std::uint32_t Topology::thread_bits() const { return BitsFor(threads_); }
std::uint32_t Topology::package_bits() const { return BitsFor(threads_) + BitsFor(cores_); }

Place Topology::PlaceOf(CpuId cpu) const {
  return {.socket = cpu / (cores_ * threads_),
          .core = cpu / threads_ % cores_,
          .thread = cpu % threads_};
}

ApicId Topology::ApicIdOf(CpuId cpu) const {
  const Place place = PlaceOf(cpu);
  return (place.socket << package_bits()) | (place.core << thread_bits()) | place.thread;
}

std::vector<ApicId> Topology::AllApicIds() const {
  std::vector<ApicId> ids;
  ids.reserve(max());
  for (CpuId cpu = 0; cpu < max(); ++cpu) {
    ids.push_back(ApicIdOf(cpu));
  }
  return ids;
}

}  // namespace tidevm::vcpu
