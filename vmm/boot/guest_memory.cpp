#include "vmm/boot/guest_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

std::uint64_t HostMemory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page_size > 0
             ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_size)
             : 0;
}

/// Addresses for `size` bytes, beginning at a multiple of kHugePageSize; nullptr, with errno set,
/// where there are none.
void* Reserve(std::uint64_t size) {
  if (size > std::numeric_limits<std::uint64_t>::max() - GuestMemory::kHugePageSize) {
    errno = ENOMEM;
    return nullptr;
  }
  const std::uint64_t room = size + GuestMemory::kHugePageSize;
  // NORESERVE: a guest may be given more than it will use, so the host commits nothing beforehand.
  void* const all = ::mmap(nullptr, room, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) {
    return nullptr;
  }
  auto* const begin = static_cast<std::byte*>(all);
  const std::uint64_t before = -reinterpret_cast<std::uint64_t>(begin) % GuestMemory::kHugePageSize;
  const std::uint64_t after = room - before - size;
  if (before > 0) {
    ::munmap(begin, before);
  }
  if (after > 0) {
    ::munmap(begin + before + size, after);
  }
  return begin + before;
}

}  // namespace

std::vector<GpaRange> RamRanges(std::uint64_t size) {
  const std::uint64_t low = std::min(size, layout::kMmioGapStart);
  std::vector<GpaRange> ranges{{.start = 0, .size = low}};
  if (size > low) {
    ranges.push_back({.start = layout::kMmioGapEnd, .size = size - low});
  }
  return ranges;
}

Result<GuestMemory> GuestMemory::Create(std::uint64_t size) {
  if (size < kMinimumSize) {
    return Fail(ErrorCode::kLimitExceeded,
                "guest memory of {} is too small, the least is {}; give a larger --memory",
                SizeText(size), SizeText(kMinimumSize));
  }
  if (size % kPageSize != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "guest memory of {} is not a whole number of {}-byte pages; give --memory in MiB",
                SizeText(size), kPageSize);
  }
  void* const at = Reserve(size);
  if (at == nullptr) {
    return FailErrno(errno,
                     "cannot reserve {} of guest memory on a host that has {} MiB; give a smaller "
                     "--memory",
                     SizeText(size), Grouped(HostMemory() >> 20));
  }
  // The guest's secrets do not belong in a core file of the VMM. A failure costs only that.
  (void)::madvise(at, size, MADV_DONTDUMP);
  // Huge pages, on hosts that give them to those who ask: the guest's first touch of a page is an
  // exit from it, and one for each 2 MiB is 512 times fewer. KVM can use them only where host and
  // guest addresses lie alike in them, hence the alignment.
  (void)::madvise(at, size, MADV_HUGEPAGE);
  return GuestMemory({static_cast<std::byte*>(at), size});
}

GuestMemory::GuestMemory(std::span<std::byte> mapping) : mapping_(mapping) {
  for (std::size_t used = 0; const GpaRange& range : RamRanges(mapping.size())) {
    regions_.push_back({.base = range.start, .host = mapping.subspan(used, range.size)});
    used += range.size;
  }
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : mapping_(std::exchange(other.mapping_, {})), regions_(std::exchange(other.regions_, {})) {}

GuestMemory& GuestMemory::operator=(GuestMemory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(regions_, other.regions_);
  return *this;
}

GuestMemory::~GuestMemory() {
  if (!mapping_.empty()) {
    ::munmap(mapping_.data(), mapping_.size());
  }
}

Result<std::span<std::byte>> GuestMemory::At(Gpa start, std::uint64_t size) const {
  for (const Region& region : regions_) {
    // Compared without adding, so that no value of start and size can wrap.
    if (start >= region.base && start - region.base <= region.host.size() &&
        size <= region.host.size() - (start - region.base)) {
      return region.host.subspan(start - region.base, size);
    }
  }
  return Fail(ErrorCode::kInvalidArgument, "{} bytes at {:#x} are not inside guest RAM ({})",
              Grouped(size), start, SizeText(mapping_.size()));
}

Result<void> GuestMemory::Write(Gpa start, std::span<const std::byte> bytes) const {
  return At(start, bytes.size()).map([&](std::span<std::byte> to) {
    if (!bytes.empty()) {
      std::memcpy(to.data(), bytes.data(), bytes.size());
    }
  });
}

Result<void> GuestMemory::Clear() {
  // Private anonymous pages read as zero again after DONTNEED.
  if (::madvise(mapping_.data(), mapping_.size(), MADV_DONTNEED) != 0) {
    return FailErrno(errno, "cannot clear {} of guest memory", SizeText(mapping_.size()));
  }
  return {};
}

}  // namespace tidevm::boot
