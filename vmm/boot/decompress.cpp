#include "vmm/boot/decompress.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

// The kernel's own build uses dictionaries of 32 to 128 MiB.
constexpr std::uint64_t kDecoderMemoryLimit = 256ULL << 20;

struct Magic {
  Compression compression;
  std::string_view bytes;
};

using namespace std::string_view_literals;
constexpr std::array kMagics = {
    Magic{Compression::kGzip, "\x1f\x8b"sv},        Magic{Compression::kBzip2, "BZh"sv},
    Magic{Compression::kLzma, "\x5d\x00\x00"sv},    Magic{Compression::kXz, "\xfd\x37zXZ\x00"sv},
    Magic{Compression::kLz4, "\x02\x21\x4c\x18"sv}, Magic{Compression::kZstd, "\x28\xb5\x2f\xfd"sv},
    Magic{Compression::kLzo, "\x89LZO"sv},
};
constexpr std::size_t kLz4MagicSize = 4;

tl::unexpected<Error> Damaged(Compression compression, std::string_view reason) {
  return Fail(ErrorCode::kCorrupt, "its {} data are damaged ({}); fetch it again",
              Name(compression), reason);
}

/// Every decoder ends here: the stream must have produced what was promised, no less.
Result<void> CheckFilled(Compression compression, std::size_t produced, std::size_t promised) {
  if (produced != promised) {
    return Fail(ErrorCode::kCorrupt,
                "its {} data are damaged (they unpack to {} bytes, not to the {} promised); fetch "
                "it again",
                Name(compression), Grouped(produced), Grouped(promised));
  }
  return {};
}

tl::unexpected<Error> TooLong(Compression compression, std::size_t promised) {
  return Fail(ErrorCode::kCorrupt,
              "its {} data are damaged (they unpack to more than the {} bytes promised); fetch it "
              "again",
              Name(compression), Grouped(promised));
}

Result<void> Gunzip(std::span<const std::byte> input, std::span<std::byte> output) {
  z_stream stream = {};
  // 15 bits of window, +16 for the gzip wrapper with its checksum.
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {
    return Fail(ErrorCode::kIo, "cannot start the gzip decoder; the host is short of memory");
  }
  // zlib reads through this pointer only; its type is older than const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  const int status = inflate(&stream, Z_FINISH);
  const std::string reason = stream.msg != nullptr ? stream.msg : "it ends too early";
  const std::size_t produced = stream.total_out;
  const bool full = stream.avail_out == 0;
  inflateEnd(&stream);
  if (status == Z_STREAM_END) {
    return CheckFilled(Compression::kGzip, produced, output.size());
  }
  if (status == Z_BUF_ERROR && full) {
    return TooLong(Compression::kGzip, output.size());
  }
  return Damaged(Compression::kGzip, reason);
}

Result<void> Bunzip2(std::span<const std::byte> input, std::span<std::byte> output) {
  auto produced = static_cast<unsigned int>(output.size());
  const int status = BZ2_bzBuffToBuffDecompress(
      reinterpret_cast<char*>(output.data()), &produced,
      reinterpret_cast<char*>(const_cast<std::byte*>(input.data())),
      static_cast<unsigned int>(input.size()), /*small=*/0, /*verbosity=*/0);
  switch (status) {
    case BZ_OK:
      return CheckFilled(Compression::kBzip2, produced, output.size());
    case BZ_OUTBUFF_FULL:
      return TooLong(Compression::kBzip2, output.size());
    case BZ_MEM_ERROR:
      return Fail(ErrorCode::kIo, "cannot start the bzip2 decoder; the host is short of memory");
    case BZ_UNEXPECTED_EOF:
      return Damaged(Compression::kBzip2, "it ends too early");
    default:
      return Damaged(Compression::kBzip2, fmt::format("libbz2 says {}", status));
  }
}

Result<void> FinishLzma(Compression compression, lzma_stream& stream, std::size_t promised) {
  lzma_ret status = lzma_code(&stream, LZMA_FINISH);
  // With the output full, the end mark may still be unread, and the decoder wants to see room
  // before it goes on. Whatever it puts into this byte is one byte too many.
  std::uint8_t beyond = 0;
  const bool full = stream.avail_out == 0;
  if (status == LZMA_OK && full) {
    stream.next_out = &beyond;
    stream.avail_out = 1;
    status = lzma_code(&stream, LZMA_FINISH);
  }
  const std::size_t produced = stream.total_out;
  const std::uint64_t wanted_memory = lzma_memusage(&stream);
  lzma_end(&stream);
  if (produced > promised) {
    return TooLong(compression, promised);
  }
  switch (status) {
    case LZMA_STREAM_END:
      return CheckFilled(compression, produced, promised);
    case LZMA_OK:
    case LZMA_BUF_ERROR:
      return Damaged(compression, "it ends too early");
    case LZMA_MEM_ERROR:
      return Fail(ErrorCode::kIo, "cannot start the {} decoder; the host is short of memory",
                  Name(compression));
    case LZMA_MEMLIMIT_ERROR:
      return Fail(ErrorCode::kLimitExceeded,
                  "its {} data want {} of memory to unpack, the limit is {}; compress it with a "
                  "smaller dictionary",
                  Name(compression), SizeText(wanted_memory), SizeText(kDecoderMemoryLimit));
    default:
      return Damaged(compression, fmt::format("liblzma says {}", static_cast<int>(status)));
  }
}

Result<void> Unlzma(Compression compression, std::span<const std::byte> input,
                    std::span<std::byte> output) {
  lzma_stream stream = LZMA_STREAM_INIT;
  const lzma_ret status = compression == Compression::kXz
                              ? lzma_stream_decoder(&stream, kDecoderMemoryLimit, 0)
                              : lzma_alone_decoder(&stream, kDecoderMemoryLimit);
  if (status != LZMA_OK) {
    return Fail(ErrorCode::kIo, "cannot start the {} decoder; the host is short of memory",
                Name(compression));
  }
  stream.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
  stream.avail_in = input.size();
  stream.next_out = reinterpret_cast<std::uint8_t*>(output.data());
  stream.avail_out = output.size();
  return FinishLzma(compression, stream, output.size());
}

/// The legacy frame: a magic number, then blocks of a 32-bit packed size and that many bytes. Each
/// block unpacks to at most 8 MiB and on its own (lz4's doc/lz4_Frame_format.md, "Legacy frame").
Result<void> Unlz4(std::span<const std::byte> input, std::span<std::byte> output) {
  if (input.size() < kLz4MagicSize) {
    return Damaged(Compression::kLz4, "it ends inside its magic number");
  }
  input = input.subspan(kLz4MagicSize);
  std::size_t produced = 0;
  while (!input.empty()) {
    std::uint32_t packed = 0;
    if (input.size() < sizeof(packed)) {
      return Damaged(Compression::kLz4, "it ends inside a block size");
    }
    std::memcpy(&packed, input.data(), sizeof(packed));
    input = input.subspan(sizeof(packed));
    if (packed > input.size() || packed > LZ4_MAX_INPUT_SIZE) {
      return Damaged(Compression::kLz4, fmt::format("a block of {} bytes where {} are left",
                                                    Grouped(packed), Grouped(input.size())));
    }
    const auto room = static_cast<int>(
        std::min<std::size_t>(output.size() - produced, std::numeric_limits<int>::max()));
    const int unpacked = LZ4_decompress_safe(reinterpret_cast<const char*>(input.data()),
                                             reinterpret_cast<char*>(output.data() + produced),
                                             static_cast<int>(packed), room);
    if (unpacked < 0) {
      return Damaged(Compression::kLz4, fmt::format("a block after {} unpacked bytes does not fit",
                                                    Grouped(produced)));
    }
    produced += static_cast<std::size_t>(unpacked);
    input = input.subspan(packed);
  }
  return CheckFilled(Compression::kLz4, produced, output.size());
}

Result<void> Unzstd(std::span<const std::byte> input, std::span<std::byte> output) {
  const std::size_t produced =
      ZSTD_decompress(output.data(), output.size(), input.data(), input.size());
  if (ZSTD_isError(produced) != 0) {
    return Damaged(Compression::kZstd, ZSTD_getErrorName(produced));
  }
  return CheckFilled(Compression::kZstd, produced, output.size());
}

}  // namespace

std::string_view Name(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kBzip2:
      return "bzip2";
    case Compression::kLzma:
      return "lzma";
    case Compression::kXz:
      return "xz";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
    case Compression::kLzo:
      return "lzo";
  }
  return "unknown";
}

std::optional<Compression> DetectCompression(std::span<const std::byte> data) {
  for (const Magic& magic : kMagics) {
    if (data.size() >= magic.bytes.size() &&
        std::memcmp(data.data(), magic.bytes.data(), magic.bytes.size()) == 0) {
      return magic.compression;
    }
  }
  return std::nullopt;
}

Result<void> Decompress(Compression compression, std::span<const std::byte> input,
                        std::span<std::byte> output) {
  // The interfaces of zlib and bzip2 count in 32 bits; so does the boot protocol.
  constexpr std::size_t kMaxSize = std::numeric_limits<std::uint32_t>::max();
  if (input.size() > kMaxSize || output.size() > kMaxSize) {
    return Fail(ErrorCode::kLimitExceeded, "{} bytes that unpack to {}, the limit for both is {}",
                Grouped(input.size()), Grouped(output.size()), Grouped(kMaxSize));
  }
  switch (compression) {
    case Compression::kGzip:
      return Gunzip(input, output);
    case Compression::kBzip2:
      return Bunzip2(input, output);
    case Compression::kLzma:
    case Compression::kXz:
      return Unlzma(compression, input, output);
    case Compression::kLz4:
      return Unlz4(input, output);
    case Compression::kZstd:
      return Unzstd(input, output);
    case Compression::kLzo:
      break;
  }
  return Fail(ErrorCode::kUnsupported, "{} data cannot be unpacked on the host", Name(compression));
}

}  // namespace tidevm::boot
