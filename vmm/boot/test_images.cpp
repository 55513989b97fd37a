#include "vmm/boot/test_images.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace tidevm::boot::test {
namespace {

constexpr std::size_t kTextSize = 5000;
constexpr std::size_t kDataSize = 3000;
constexpr std::size_t kSetupSectors = 4;
constexpr std::size_t kKernelOffset = (kSetupSectors + 1) * 512;
constexpr std::size_t kPayloadOffset = 0x400;

void Check(bool good) {
  if (!good) {
    throw std::runtime_error("cannot compress the test's data");
  }
}

template <typename T>
void Append(Bytes& to, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

std::size_t Gzip(std::span<const std::byte> from, std::span<std::byte> to) {
  z_stream stream = {};
  Check(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(from.data()));
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = reinterpret_cast<Bytef*>(to.data());
  stream.avail_out = static_cast<uInt>(to.size());
  Check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&stream);
  return stream.total_out;
}

std::size_t Bzip2(std::span<const std::byte> from, std::span<std::byte> to) {
  auto size = static_cast<unsigned int>(to.size());
  Check(BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(to.data()), &size,
                                 reinterpret_cast<char*>(const_cast<std::byte*>(from.data())),
                                 static_cast<unsigned int>(from.size()), 9, 0, 0) == BZ_OK);
  return size;
}

/// xz with the filters and the checksum of the kernel's own build; lzma as `lzma -9` makes it.
std::size_t Lzma(Compression compression, std::span<const std::byte> from,
                 std::span<std::byte> to) {
  lzma_options_lzma options;
  Check(lzma_lzma_preset(&options, 1) == 0);
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_filter filters[] = {{.id = LZMA_FILTER_X86, .options = nullptr},
                           {.id = LZMA_FILTER_LZMA2, .options = &options},
                           {.id = LZMA_VLI_UNKNOWN, .options = nullptr}};
  Check((compression == Compression::kXz ? lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32)
                                         : lzma_alone_encoder(&stream, &options)) == LZMA_OK);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(from.data());
  stream.avail_in = from.size();
  stream.next_out = reinterpret_cast<std::uint8_t*>(to.data());
  stream.avail_out = to.size();
  Check(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
  const std::size_t size = stream.total_out;
  lzma_end(&stream);
  return size;
}

/// In blocks that are small, so that there are several.
Bytes Lz4(std::span<const std::byte> from) {
  constexpr std::size_t kBlockSize = 4096;
  Bytes out = ToBytes("\x02\x21\x4c\x18");
  while (!from.empty()) {
    const auto block = from.first(std::min(kBlockSize, from.size()));
    Bytes packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(block.size()))));
    const int size = LZ4_compress_default(
        reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(packed.data()),
        static_cast<int>(block.size()), static_cast<int>(packed.size()));
    Check(size > 0);
    packed.resize(static_cast<std::size_t>(size));
    Append(out, static_cast<std::uint32_t>(size));
    out.insert(out.end(), packed.begin(), packed.end());
    from = from.subspan(block.size());
  }
  return out;
}

Elf64_Phdr Segment(Gpa at, std::uint64_t offset, std::uint64_t file_size,
                   std::uint64_t memory_size) {
  return {.p_type = PT_LOAD,
          .p_flags = PF_R | PF_W | PF_X,
          .p_offset = offset,
          .p_vaddr = at | 0xffffffff80000000,
          .p_paddr = at,
          .p_filesz = file_size,
          .p_memsz = memory_size,
          .p_align = 0x1000};
}

}  // namespace

Bytes ToBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes Pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(1 + (i / 7 + i / 256) % 255);
  }
  return bytes;
}

Bytes MakeElf(const std::function<void(Elf&)>& change) {
  constexpr std::size_t kDataOffset = 0x1000 + kTextSize;
  Elf elf;
  std::memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
  elf.header.e_ident[EI_CLASS] = ELFCLASS64;
  elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.header.e_ident[EI_VERSION] = EV_CURRENT;
  elf.header.e_type = ET_EXEC;
  elf.header.e_machine = EM_X86_64;
  elf.header.e_version = EV_CURRENT;
  elf.header.e_entry = kEntry;
  elf.header.e_phoff = sizeof(Elf64_Ehdr);
  elf.header.e_ehsize = sizeof(Elf64_Ehdr);
  elf.header.e_phentsize = sizeof(Elf64_Phdr);
  elf.header.e_phnum = 3;
  elf.segments = {Segment(kTextAt, 0x1000, kTextSize, kTextSize),
                  Segment(kDataAt, kDataOffset, kDataSize, kDataMemorySize),
                  {.p_type = PT_NOTE,
                   .p_flags = PF_R,
                   .p_offset = ~0ULL,
                   .p_vaddr = 0,
                   .p_paddr = 0,
                   .p_filesz = ~0ULL,
                   .p_memsz = ~0ULL,
                   .p_align = 4}};
  if (change) {
    change(elf);
  }
  Bytes out;
  Append(out, elf.header);
  for (const Elf64_Phdr& segment : elf.segments) {
    Append(out, segment);
  }
  out.resize(0x1000);
  const Bytes content = Pattern(kTextSize + kDataSize);
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

Bytes MakeLinuxElf(const std::function<void(Elf&)>& change) {
  constexpr std::size_t kTextOffset = 0x200000;
  constexpr std::size_t kDataOffset = 0x203000;
  constexpr std::size_t kInitOffset = 0x208000;
  constexpr std::size_t kInitSize = 0x3000;
  constexpr std::size_t kFileSize = 0x20c000;
  const Bytes plain = MakeElf([&](Elf& elf) {
    elf.segments = {Segment(kTextAt, kTextOffset, kTextSize, kTextSize),
                    Segment(kTextAt + kDataOffset - kTextOffset, kDataOffset, kDataSize, kDataSize),
                    // Overlaps its place in the file: 0x1008000.
                    Segment(kTextAt + 0x7000, kInitOffset, kInitSize, kInitSize + 0x2000)};
    if (change) {
      change(elf);
    }
  });
  Bytes out = Pattern(kFileSize);
  std::copy(plain.begin(), plain.begin() + 0x1000, out.begin());  // its headers
  return out;
}

Bytes Compress(Compression compression, std::span<const std::byte> content) {
  if (compression == Compression::kLz4) {
    return Lz4(content);
  }
  if (compression == Compression::kLzo) {
    return ToBytes("\x89LZO with nothing behind it");
  }
  Bytes out(content.size() + 4096);
  switch (compression) {
    case Compression::kGzip:
      out.resize(Gzip(content, out));
      break;
    case Compression::kBzip2:
      out.resize(Bzip2(content, out));
      break;
    case Compression::kZstd:
      out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3));
      break;
    default:
      out.resize(Lzma(compression, content, out));
  }
  return out;
}

Bytes MakePayload(Compression compression, std::span<const std::byte> content) {
  Bytes payload = Compress(compression, content);
  if (compression != Compression::kGzip) {
    Append(payload, static_cast<std::uint32_t>(content.size()));
  }
  return payload;
}

Bytes MakeBzImage(std::span<const std::byte> payload,
                  const std::function<void(::setup_header&)>& change) {
  const std::size_t kernel_size = (kPayloadOffset + payload.size() + 15) / 16 * 16;
  ::setup_header header = {};
  header.setup_sects = kSetupSectors;
  header.syssize = static_cast<std::uint32_t>(kernel_size / 16);
  header.boot_flag = 0xaa55;
  header.jump = 0x6aeb;  // the header ends 0x6a bytes past 0x202
  header.header = 0x53726448;
  header.version = 0x020f;
  header.loadflags = LOADED_HIGH;
  header.code32_start = 0x100000;
  header.initrd_addr_max = 0x7fffffff;
  header.kernel_alignment = 0x200000;
  header.relocatable_kernel = 1;
  header.xloadflags = XLF_KERNEL_64;
  header.cmdline_size = 2047;
  header.payload_offset = kPayloadOffset;
  header.payload_length = static_cast<std::uint32_t>(payload.size());
  header.pref_address = kTextAt;
  header.init_size = 0x400000;
  if (change) {
    change(header);
  }
  Bytes out(kKernelOffset + kernel_size, std::byte{0x90});
  std::memcpy(&out[0x1f1], &header, sizeof(header));
  std::copy(payload.begin(), payload.end(), out.begin() + kKernelOffset + kPayloadOffset);
  return out;
}

UniqueFd MakeFile(std::span<const std::byte> content) {
  UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
  if (!file.valid() ||
      ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    throw std::runtime_error("cannot make the test's file");
  }
  return file;
}

}  // namespace tidevm::boot::test
