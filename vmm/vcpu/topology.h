// Sockets, cores and threads, and the APIC ids that follow from them.
#pragma once

#include <cstdint>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::vcpu {

/// What the user may leave open; 0 is "not said".
struct TopologyRequest {
  std::uint32_t sockets = 0;
  std::uint32_t cores = 0;    // per socket
  std::uint32_t threads = 0;  // per core
};

/// Where one vCPU is.
struct Place {
  std::uint32_t socket = 0;
  std::uint32_t core = 0;
  std::uint32_t thread = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

/// The shape of the machine at its maximum. vCPU ids are dense, threads first; an APIC id has one
/// bit field per level (Intel SDM vol. 3A, 9.9.1 "Hierarchical Mapping of Shared Resources"), so
/// ids are sparse where a level is no power of two. Constant.
class Topology {
 public:
  /// Fills in what was left open: threads 1, sockets 1, cores what is left. Fails with
  /// kInvalidArgument where sockets x cores x threads is not `max`.
  static Result<Topology> Create(std::uint32_t max, const TopologyRequest& request);

  std::uint32_t max() const { return sockets_ * cores_ * threads_; }
  std::uint32_t sockets() const { return sockets_; }
  std::uint32_t cores() const { return cores_; }
  std::uint32_t threads() const { return threads_; }

  /// Width of the thread field, and of the thread and core fields together, in bits.
  std::uint32_t thread_bits() const;
  std::uint32_t package_bits() const;

  Place PlaceOf(CpuId cpu) const;
  ApicId ApicIdOf(CpuId cpu) const;
  std::vector<ApicId> AllApicIds() const;

 private:
  Topology(std::uint32_t sockets, std::uint32_t cores, std::uint32_t threads)
      : sockets_(sockets), cores_(cores), threads_(threads) {}

  std::uint32_t sockets_;
  std::uint32_t cores_;
  std::uint32_t threads_;
};

}  // namespace tidevm::vcpu
