#include "vmm/boot/elf_kernel.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <limits>
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

Result<void> LoadSegment(const GuestMemory& memory, const ByteSource& image,
                         const Elf64_Phdr& segment) {
  if (auto good = CheckSegment(memory, image, segment); !good) {
    return good;
  }
  return memory.At(segment.p_paddr, segment.p_filesz).and_then([&](std::span<std::byte> to) {
    return image.Read(segment.p_offset, to);
  });
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

}  // namespace

bool IsElf(std::span<const std::byte> head) {
  return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Result<LoadedKernel> LoadElfKernel(const GuestMemory& memory, const ByteSource& image) {
  auto header = ReadFileHeader(image);
  if (!header) {
    return tl::make_unexpected(header.error());
  }
  auto segments = ReadProgramHeaders(image, *header);
  if (!segments) {
    return tl::make_unexpected(segments.error());
  }
  Gpa start = std::numeric_limits<Gpa>::max();
  Gpa end = 0;
  bool entry_loaded = false;
  for (const Elf64_Phdr& segment : *segments) {
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) {
      continue;
    }
    if (auto loaded = LoadSegment(memory, image, segment); !loaded) {
      return tl::make_unexpected(loaded.error());
    }
    start = std::min(start, segment.p_paddr);
    end = std::max(end, segment.p_paddr + segment.p_memsz);
    entry_loaded = entry_loaded || (header->e_entry >= segment.p_paddr &&
                                    header->e_entry - segment.p_paddr < segment.p_filesz);
  }
  if (!entry_loaded) {
    return Fail(
        ErrorCode::kCorrupt,
        "damaged: its entry point {:#x} is in none of the segments it loads; fetch it again",
        header->e_entry);
  }
  return LoadedKernel{.entry = header->e_entry,
                      .range = {.start = start, .size = end - start},
                      .format = "ELF",
                      .note = {},
                      .header = StandInHeader()};
}

}  // namespace tidevm::boot
