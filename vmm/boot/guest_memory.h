// The guest's RAM: where it lies for the guest, and where on the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm::boot {

/// A piece of guest physical address space, in bytes.
struct GpaRange {
  Gpa start = 0;
  std::uint64_t size = 0;

  Gpa end() const { return start + size; }
  friend bool operator==(const GpaRange&, const GpaRange&) = default;
};

/// Where `size` bytes of RAM lie: from 0 up to the MMIO gap, and what is left from 4 GiB on.
std::vector<GpaRange> RamRanges(std::uint64_t size);

/// The guest's RAM, zero at first. No page of it costs host memory before it is touched.
///
/// Creating and clearing belong to the machine thread, while no vCPU runs. At() and Write() may be
/// called from any thread; the bytes behind them are shared with the running guest.
class GuestMemory {
 public:
  /// Below this no kernel of today comes up.
  static constexpr std::uint64_t kMinimumSize = 32ULL << 20;
  static constexpr std::uint64_t kPageSize = 4096;
  static constexpr std::uint64_t kHugePageSize = 2ULL << 20;

  /// One stretch of RAM; the machine makes one KVM memory slot of each. Base and host address leave
  /// the same remainder modulo kHugePageSize.
  struct Region {
    Gpa base = 0;
    std::span<std::byte> host;
  };

  /// `size` in bytes: at least kMinimumSize, whole pages. Fails with kLimitExceeded or
  /// kInvalidArgument for another size, kIo where the host does not give the address space.
  static Result<GuestMemory> Create(std::uint64_t size);

  GuestMemory(GuestMemory&& other) noexcept;
  GuestMemory& operator=(GuestMemory&& other) noexcept;
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;
  ~GuestMemory();

  /// In ascending order of address; the first begins at 0.
  std::span<const Region> regions() const { return regions_; }
  std::uint64_t size() const { return mapping_.size(); }

  /// End of the RAM that begins at 0: at most layout::kMmioGapStart.
  Gpa LowRamEnd() const { return regions_.front().host.size(); }

  /// The host bytes of [start, start + size). Fails with kInvalidArgument unless the whole range
  /// lies in one region.
  Result<std::span<std::byte>> At(Gpa start, std::uint64_t size) const;

  /// Copies `bytes` to `start`; fails as At() does.
  Result<void> Write(Gpa start, std::span<const std::byte> bytes) const;

  /// Makes every byte zero again and gives the pages back to the host, for a guest reset.
  Result<void> Clear();

 private:
  explicit GuestMemory(std::span<std::byte> mapping);

  std::span<std::byte> mapping_;
  std::vector<Region> regions_;
};

}  // namespace tidevm::boot
