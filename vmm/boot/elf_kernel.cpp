#include "vmm/boot/elf_kernel.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "tidevm/guest_layout.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

// Linux has five program headers. More than this is not a kernel.
constexpr std::uint16_t kMaxProgramHeaders = 64;

Result<Elf64_Ehdr> ReadFileHeader(const ByteSource& image) {
  if (image.Size() < sizeof(Elf64_Ehdr)) {
    return Fail(ErrorCode::kCorrupt,
                "truncated: an ELF header has {} bytes, the file ends after {}; fetch it again",
                sizeof(Elf64_Ehdr), image.Size());
  }
  auto header = image.ReadAs<Elf64_Ehdr>(0);
  if (!header) {
    return header;
  }
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_X86_64) {
    return Fail(ErrorCode::kUnsupported,
                "an ELF file for another machine ({}-bit, machine {}); give an x86-64 kernel "
                "(64-bit, machine {})",
                header->e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32, header->e_machine, EM_X86_64);
  }
  if (header->e_type != ET_EXEC) {
    return Fail(ErrorCode::kUnsupported,
                "an ELF file of type {}, and a kernel is an executable (type {}); give vmlinuz or "
                "vmlinux",
                header->e_type, ET_EXEC);
  }
  return header;
}

Result<std::vector<Elf64_Phdr>> ReadProgramHeaders(const ByteSource& image,
                                                   const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxProgramHeaders) {
    return Fail(ErrorCode::kCorrupt,
                "damaged: {} program headers of {} bytes, expected 1 to {} of {}; fetch it again",
                header.e_phnum, header.e_phentsize, kMaxProgramHeaders, sizeof(Elf64_Phdr));
  }
  std::vector<Elf64_Phdr> headers(header.e_phnum);
  if (auto read = image.Read(header.e_phoff, std::as_writable_bytes(std::span(headers))); !read) {
    return Chain(read.error(), "its program headers");
  }
  return headers;
}

/// Says no to a segment that the file cannot fill, or that has no place in low RAM.
Result<void> CheckSegment(const GuestMemory& memory, const ByteSource& image,
                          const Elf64_Phdr& segment) {
  const Elf64_Phdr& s = segment;
  if (s.p_offset > image.Size() || s.p_filesz > image.Size() - s.p_offset) {
    return Fail(ErrorCode::kCorrupt,
                "truncated: a segment has {} bytes at offset {}, the image ends after {}; fetch it "
                "again",
                Grouped(s.p_filesz), Grouped(s.p_offset), Grouped(image.Size()));
  }
  if (s.p_filesz > s.p_memsz || s.p_memsz > std::numeric_limits<Gpa>::max() - s.p_paddr) {
    return Fail(ErrorCode::kCorrupt,
                "damaged: a segment of {} bytes in the file and {} in memory at {:#x}; fetch it "
                "again",
                Grouped(s.p_filesz), Grouped(s.p_memsz), s.p_paddr);
  }
  if (s.p_paddr < layout::kHighRamStart) {
    return Fail(ErrorCode::kUnsupported,
                "a segment wants address {:#x}, and below {:#x} lie the boot data; give a kernel "
                "that loads above that",
                s.p_paddr, layout::kHighRamStart);
  }
  const Gpa end = s.p_paddr + s.p_memsz;
  if (end > layout::kMmioGapStart) {
    return Fail(ErrorCode::kUnsupported,
                "a segment wants addresses up to {:#x}, and RAM below 4 GiB ends at {:#x}; give a "
                "kernel that loads below that",
                end, layout::kMmioGapStart);
  }
  if (end > memory.LowRamEnd()) {
    return Fail(ErrorCode::kLimitExceeded,
                "it needs memory up to {:#x}, the guest has {}; give at least --memory {}M", end,
                SizeText(memory.size()), MebibytesFor(end));
  }
  return {};
}

/// What is to be loaded of an image, and how it is entered; checked against guest memory.
struct Elf {
  Gpa entry = 0;
  std::vector<Elf64_Phdr> segments;  // PT_LOAD, not empty
};

Result<Elf> ReadElf(const GuestMemory& memory, const ByteSource& image) {
  auto header = ReadFileHeader(image);
  if (!header) {
    return tl::make_unexpected(header.error());
  }
  auto segments = ReadProgramHeaders(image, *header);
  if (!segments) {
    return tl::make_unexpected(segments.error());
  }
  std::erase_if(*segments,
                [](const Elf64_Phdr& s) { return s.p_type != PT_LOAD || s.p_memsz == 0; });
  bool entry_loaded = false;
  for (const Elf64_Phdr& segment : *segments) {
    if (auto good = CheckSegment(memory, image, segment); !good) {
      return tl::make_unexpected(good.error());
    }
    entry_loaded = entry_loaded || (header->e_entry >= segment.p_paddr &&
                                    header->e_entry - segment.p_paddr < segment.p_filesz);
  }
  if (!entry_loaded) {
    return Fail(
        ErrorCode::kCorrupt,
        "damaged: its entry point {:#x} is in none of the segments it loads; fetch it again",
        header->e_entry);
  }
  return Elf{.entry = header->e_entry, .segments = std::move(*segments)};
}

/// Whether segments that lie in memory as in their file, the first one in its place, can be moved
/// to theirs one after the other: each downwards or not at all, and none onto another.
bool CanSettle(const std::vector<Elf64_Phdr>& segments, Gpa image_start) {
  std::uint64_t file_end = 0;
  Gpa place_end = 0;
  for (const Elf64_Phdr& s : segments) {
    // Checked before: these sums do not wrap.
    if (s.p_offset < file_end || s.p_paddr < place_end || s.p_paddr > image_start + s.p_offset) {
      return false;
    }
    file_end = s.p_offset + s.p_filesz;
    place_end = s.p_paddr + s.p_memsz;
  }
  return segments.front().p_paddr == image_start + segments.front().p_offset;
}

/// The fields that Linux looks at although no setup code of its own ran. The values are those of
/// every x86-64 kernel's header.S.
::setup_header StandInHeader() {
  ::setup_header header = {};
  header.boot_flag = 0xaa55;
  header.header = 0x53726448;  // "HdrS"
  header.version = 0x020c;
  header.loadflags = LOADED_HIGH;
  header.initrd_addr_max = 0x7fffffff;
  header.xloadflags = XLF_KERNEL_64;
  header.cmdline_size = 2047;
  return header;
}

LoadedKernel Loaded(const Elf& elf) {
  Gpa start = std::numeric_limits<Gpa>::max();
  Gpa end = 0;
  for (const Elf64_Phdr& segment : elf.segments) {
    start = std::min(start, segment.p_paddr);
    end = std::max(end, segment.p_paddr + segment.p_memsz);
  }
  return {.entry = elf.entry,
          .range = {.start = start, .size = end - start},
          .format = "ELF",
          .note = {},
          .header = StandInHeader()};
}

}  // namespace

bool IsElf(std::span<const std::byte> head) {
  return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Result<LoadedKernel> LoadElfKernel(const GuestMemory& memory, const ByteSource& image) {
  const auto elf = ReadElf(memory, image);
  if (!elf) {
    return tl::make_unexpected(elf.error());
  }
  for (const Elf64_Phdr& segment : elf->segments) {
    const auto loaded =
        memory.At(segment.p_paddr, segment.p_filesz).and_then([&](std::span<std::byte> to) {
          return image.Read(segment.p_offset, to);
        });
    if (!loaded) {
      return tl::make_unexpected(loaded.error());
    }
  }
  return Loaded(*elf);
}

std::optional<LoadedKernel> SettleElfKernel(const GuestMemory& memory, GpaRange image) {
  const auto bytes = memory.At(image.start, image.size);
  const auto elf =
      bytes ? ReadElf(memory, MemorySource(*bytes)) : tl::make_unexpected(bytes.error());
  if (!elf || !CanSettle(elf->segments, image.start)) {
    return std::nullopt;
  }
  // Offsets into the image of what is settled and zeroed up to there.
  std::uint64_t done = 0;
  for (const Elf64_Phdr& segment : elf->segments) {
    const std::uint64_t place = segment.p_paddr - image.start;
    std::memset(bytes->data() + done, 0, place - done);
    std::memmove(bytes->data() + place, bytes->data() + segment.p_offset, segment.p_filesz);
    done = place + segment.p_filesz;
  }
  std::memset(bytes->data() + done, 0, bytes->size() - done);
  return Loaded(*elf);
}

}  // namespace tidevm::boot
