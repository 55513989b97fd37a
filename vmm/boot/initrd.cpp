#include "vmm/boot/initrd.h"

#include <algorithm>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

constexpr Gpa RoundDown(Gpa address) { return address & ~(GuestMemory::kPageSize - 1); }
constexpr Gpa RoundUp(Gpa address) { return RoundDown(address + GuestMemory::kPageSize - 1); }

/// `first` is the lowest address free for it, `limit` the end of what this guest has,
/// `kernel_limit` the end of what the kernel would take in any guest.
tl::unexpected<Error> NoRoom(const GuestMemory& memory, std::uint64_t size, Gpa first, Gpa limit,
                             Gpa kernel_limit) {
  const std::uint64_t room = limit > first ? limit - first : 0;
  if (first < kernel_limit && size <= kernel_limit - first) {
    return Fail(ErrorCode::kLimitExceeded,
                "it has {}, and of the guest's {} there are {} free for it above the kernel; give "
                "at least --memory {}M",
                SizeText(size), SizeText(memory.size()), SizeText(room),
                MebibytesFor(first + size));
  }
  return Fail(ErrorCode::kLimitExceeded,
              "it has {}, and the kernel takes one of up to {} only (above itself, below {:#x}); "
              "make a smaller one",
              SizeText(size), SizeText(kernel_limit > first ? kernel_limit - first : 0),
              kernel_limit);
}

}  // namespace

Result<GpaRange> LoadInitrd(const GuestMemory& memory, const ByteSource& file, Gpa kernel_end,
                            Gpa last_address) {
  const std::uint64_t size = file.Size();
  if (size == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "the file is empty; make it again, or leave --initrd out");
  }
  // Compared before adding, because the kernel file may name the last address there is.
  const Gpa kernel_limit =
      last_address < layout::kMmioGapStart ? last_address + 1 : layout::kMmioGapStart;
  const Gpa limit = std::min(memory.LowRamEnd(), kernel_limit);
  const Gpa first = RoundUp(kernel_end);
  if (limit < first || size > limit - first) {
    return NoRoom(memory, size, first, limit, kernel_limit);
  }
  const GpaRange range{.start = RoundDown(limit - size), .size = size};
  return memory.At(range.start, size)
      .and_then([&](std::span<std::byte> to) { return file.Read(0, to); })
      .map([&] { return range; });
}

}  // namespace tidevm::boot
