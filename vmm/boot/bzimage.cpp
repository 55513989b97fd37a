#include "vmm/boot/bzimage.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tidevm/guest_layout.h"
#include "vmm/boot/decompress.h"
#include "vmm/boot/elf_kernel.h"
#include "vmm/boot/scratch_buffer.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

constexpr std::size_t kSetupHeaderOffset = 0x1f1;
constexpr std::size_t kBootFlagOffset = 0x1fe;
constexpr std::size_t kJumpOffset = 0x201;   // its operand says where the header ends ...
constexpr std::size_t kMagicOffset = 0x202;  // ... counted from here
constexpr std::uint64_t kSectorSize = 512;
constexpr std::uint64_t kEntry64Offset = 0x200;
constexpr std::uint16_t kFirstWithPayload = 0x0208;
constexpr std::uint16_t kFirstWith64BitEntry = 0x020c;
// A payload that says more than this is damaged: the largest kernels unpack to a tenth of it.
constexpr std::uint64_t kMaxUnpackedSize = 1ULL << 30;
constexpr std::size_t kUnpackedSizeBytes = sizeof(std::uint32_t);

struct BzImage {
  ::setup_header header = {};
  std::uint64_t kernel_offset = 0;  // of the protected-mode part, in the file
};

std::uint32_t LoadLe32(std::span<const std::byte> from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from.data(), sizeof(value));  // host and format are both little-endian
  return value;
}

std::string FormatName(const ::setup_header& header) {
  return fmt::format("bzImage {}.{:02}", header.version >> 8, header.version & 0xff);
}

tl::unexpected<Error> Truncated(std::string_view what, std::uint64_t size, std::uint64_t offset,
                                std::uint64_t file_size) {
  return Fail(ErrorCode::kCorrupt,
              "truncated: the header promises a {} of {} bytes at offset {}, the file ends after "
              "{}; fetch it again",
              what, Grouped(size), Grouped(offset), Grouped(file_size));
}

Result<BzImage> ReadHeader(const ByteSource& file) {
  std::array<std::byte, kSetupHeaderOffset + sizeof(::setup_header)> head{};
  const std::size_t present = std::min<std::size_t>(head.size(), file.Size());
  if (auto read = file.Read(0, std::span(head).first(present)); !read) {
    return tl::make_unexpected(read.error());
  }
  // What lies past the header's own end is code, not fields that this kernel does not have yet.
  const std::size_t end = kMagicOffset + std::to_integer<std::size_t>(head[kJumpOffset]);
  if (end < head.size()) {
    std::fill(head.begin() + static_cast<std::ptrdiff_t>(end), head.end(), std::byte{0});
  }
  BzImage image;
  std::memcpy(&image.header, &head[kSetupHeaderOffset], sizeof(image.header));
  // Zero means four, for a reason as old as Linux.
  const std::uint64_t setup_sectors = image.header.setup_sects == 0 ? 4 : image.header.setup_sects;
  image.kernel_offset = (setup_sectors + 1) * kSectorSize;
  if (image.header.version < kFirstWithPayload) {
    return Fail(ErrorCode::kUnsupported,
                "it speaks boot protocol {}.{:02}, 2.08 (Linux 2.6.26) is the oldest that will do; "
                "give a newer kernel",
                image.header.version >> 8, image.header.version & 0xff);
  }
  return image;
}

/// The payload as it is in the file.
Result<ScratchBuffer> ReadPayload(const BzImage& image, const ByteSource& file) {
  const std::uint64_t offset = image.kernel_offset + image.header.payload_offset;
  const std::uint64_t size = image.header.payload_length;
  if (offset > file.Size() || size > file.Size() - offset) {
    return Truncated("payload", size, offset, file.Size());
  }
  auto payload = ScratchBuffer::Create(size);
  if (!payload) {
    return payload;
  }
  if (auto read = file.Read(offset, payload->bytes()); !read) {
    return tl::make_unexpected(read.error());
  }
  return payload;
}

/// A --memory in which the unpacked kernel fits, from what the header says of where it will lie.
std::uint64_t SuggestedMebibytes(const ::setup_header& header, std::uint64_t unpacked_size) {
  const std::uint64_t wish = header.pref_address;
  return MebibytesFor(std::clamp(wish, layout::kHighRamStart, layout::kMmioGapStart) +
                      unpacked_size);
}

/// What the payload's last four bytes promise that it unpacks to. gzip's format has them by itself
/// and checks them; behind the other streams the kernel's build puts them.
Result<std::uint64_t> UnpackedSize(const GuestMemory& memory, const BzImage& image,
                                   Compression compression, std::span<const std::byte> payload) {
  const std::uint64_t size = LoadLe32(payload.last(kUnpackedSizeBytes));
  if (size == 0 || size > kMaxUnpackedSize) {
    return Fail(ErrorCode::kCorrupt,
                "its {} payload is damaged: it promises to unpack to {} bytes, the limit is {}; "
                "fetch it again",
                Name(compression), Grouped(size), Grouped(kMaxUnpackedSize));
  }
  if (size > memory.LowRamEnd()) {
    return Fail(ErrorCode::kLimitExceeded,
                "it unpacks to {}, the guest has {} of memory; give at least --memory {}M",
                SizeText(size), SizeText(memory.size()), SuggestedMebibytes(image.header, size));
  }
  return size;
}

Result<void> Unpack(Compression compression, std::span<const std::byte> payload,
                    std::span<std::byte> into) {
  return Decompress(compression,
                    compression == Compression::kGzip
                        ? payload
                        : payload.first(payload.size() - kUnpackedSizeBytes),
                    into);
}

/// Where in guest memory the payload is to be unpacked so that the kernel's first segment, which is
/// most of it, needs no moving. nullopt where there is no such place.
std::optional<GpaRange> PlaceToUnpack(const GuestMemory& memory, const ::setup_header& header,
                                      std::uint64_t size) {
  // Linux is linked with pages of 2 MiB, and the ELF headers have the first of them. If that should
  // not be so, the image is looked at where it then lies, and loaded by copying.
  constexpr std::uint64_t kFirstSegmentOffset = 2ULL << 20;
  if (header.pref_address < layout::kHighRamStart + kFirstSegmentOffset) {
    return std::nullopt;
  }
  const Gpa start = header.pref_address - kFirstSegmentOffset;
  if (start > memory.LowRamEnd() || size > memory.LowRamEnd() - start) {
    return std::nullopt;
  }
  return GpaRange{.start = start, .size = size};
}

LoadedKernel Named(LoadedKernel kernel, const BzImage& image, std::string_view how) {
  kernel.format = fmt::format("{}, {}", FormatName(image.header), how);
  kernel.header = image.header;
  return kernel;
}

Result<LoadedKernel> LoadPayloadElf(const GuestMemory& memory, const BzImage& image,
                                    std::span<const std::byte> elf, std::string_view how) {
  return LoadElfKernel(memory, MemorySource(elf)).map([&](LoadedKernel kernel) {
    return Named(std::move(kernel), image, how);
  });
}

/// Loads the protected-mode part as it is; the guest unpacks itself.
Result<LoadedKernel> LoadPacked(const GuestMemory& memory, const BzImage& image,
                                const ByteSource& file, std::string_view why) {
  const ::setup_header& header = image.header;
  if (header.version < kFirstWith64BitEntry || (header.xloadflags & XLF_KERNEL_64) == 0) {
    return Fail(ErrorCode::kUnsupported,
                "{}, and it has no 64-bit entry point to unpack itself from (boot protocol "
                "{}.{:02}, xloadflags {:#x}); give a 64-bit kernel of Linux 3.8 or later",
                why, header.version >> 8, header.version & 0xff, header.xloadflags + 0U);
  }
  const std::uint64_t size = std::uint64_t{header.syssize} * 16;
  if (file.Size() < image.kernel_offset || size > file.Size() - image.kernel_offset) {
    return Truncated("kernel", size, image.kernel_offset, file.Size());
  }
  const Gpa start = header.pref_address != 0 ? header.pref_address : header.code32_start;
  // init_size is what it works in while it unpacks, counted from its start.
  const std::uint64_t span = std::max<std::uint64_t>(size, header.init_size);
  if (size <= kEntry64Offset || start < layout::kHighRamStart ||
      span > std::numeric_limits<Gpa>::max() - start) {
    return Fail(ErrorCode::kCorrupt,
                "damaged: {} bytes of kernel that want {} bytes at {:#x}; fetch it again",
                Grouped(size), Grouped(span), start);
  }
  if (start + span > memory.LowRamEnd()) {
    return Fail(ErrorCode::kLimitExceeded,
                "it needs memory up to {:#x}, the guest has {}; give at least --memory {}M",
                start + span, SizeText(memory.size()), MebibytesFor(start + span));
  }
  auto to = memory.At(start, size);
  if (!to) {
    return tl::make_unexpected(to.error());
  }
  if (auto read = file.Read(image.kernel_offset, *to); !read) {
    return tl::make_unexpected(read.error());
  }
  LoadedKernel kernel{
      .entry = start + kEntry64Offset,
      .range = {.start = start, .size = span},
      .format = fmt::format("{}, unpacks itself in the guest", FormatName(header)),
      .note = fmt::format("{}: the kernel unpacks itself in the guest, which takes longer", why),
      .header = header};
  kernel.header.code32_start = static_cast<std::uint32_t>(start);
  return kernel;
}

/// Unpacks the payload where the guest will have it if that can be, and beside the guest's memory
/// otherwise; loads the ELF kernel that it is.
Result<LoadedKernel> LoadCompressed(const GuestMemory& memory, const BzImage& image,
                                    const ByteSource& file, Compression compression,
                                    std::span<const std::byte> payload) {
  const auto size = UnpackedSize(memory, image, compression, payload);
  if (!size) {
    return tl::make_unexpected(size.error());
  }
  const std::string how = fmt::format("{} payload unpacked on the host", Name(compression));
  std::span<std::byte> in_guest;
  if (const auto place = PlaceToUnpack(memory, image.header, *size)) {
    in_guest = *memory.At(place->start, place->size);
    if (auto unpacked = Unpack(compression, payload, in_guest); !unpacked) {
      return tl::make_unexpected(unpacked.error());
    }
    if (auto kernel = SettleElfKernel(memory, *place)) {
      return Named(std::move(*kernel), image, how);
    }
  }
  auto elf = ScratchBuffer::Create(*size);
  if (!elf) {
    return tl::make_unexpected(elf.error());
  }
  if (!in_guest.empty()) {
    std::memcpy(elf->bytes().data(), in_guest.data(), in_guest.size());
    std::memset(in_guest.data(), 0, in_guest.size());
  } else if (auto unpacked = Unpack(compression, payload, elf->bytes()); !unpacked) {
    return tl::make_unexpected(unpacked.error());
  }
  if (!IsElf(elf->bytes())) {
    return LoadPacked(memory, image, file, "its payload is not an ELF file");
  }
  return LoadPayloadElf(memory, image, elf->bytes(), how);
}

}  // namespace

bool IsBzImage(std::span<const std::byte> head) {
  return head.size() >= kBzImageHeadSize && head[kBootFlagOffset] == std::byte{0x55} &&
         head[kBootFlagOffset + 1] == std::byte{0xaa} &&
         std::memcmp(&head[kMagicOffset], "HdrS", 4) == 0;
}

Result<LoadedKernel> LoadBzImage(const GuestMemory& memory, const ByteSource& file) {
  auto image = ReadHeader(file);
  if (!image) {
    return tl::make_unexpected(image.error());
  }
  // Smaller than a magic number and a size, and there is nothing to unpack.
  if (image->header.payload_offset == 0 || image->header.payload_length < 8) {
    return LoadPacked(memory, *image, file, "its header names no payload");
  }
  auto payload = ReadPayload(*image, file);
  if (!payload) {
    return tl::make_unexpected(payload.error());
  }
  if (IsElf(payload->bytes())) {
    return LoadPayloadElf(memory, *image, payload->bytes(), "payload not compressed");
  }
  const std::optional<Compression> compression = DetectCompression(payload->bytes());
  if (!compression) {
    return LoadPacked(memory, *image, file,
                      fmt::format("its payload, which begins with {:#010x}, cannot be unpacked on "
                                  "the host",
                                  LoadLe32(payload->bytes())));
  }
  if (*compression == Compression::kLzo) {
    return LoadPacked(memory, *image, file, "its lzo payload cannot be unpacked on the host");
  }
  return LoadCompressed(memory, *image, file, *compression, payload->bytes());
}

}  // namespace tidevm::boot
