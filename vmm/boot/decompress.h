// Unpacks a compressed kernel, in one go, with the host's libraries.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "tidevm/result.h"

namespace tidevm::boot {

/// What Linux can compress itself with (Documentation/arch/x86/boot.rst, "payload_offset").
enum class Compression { kGzip, kBzip2, kLzma, kXz, kLz4, kZstd, kLzo };

/// "gzip", "bzip2", ...
std::string_view Name(Compression compression);

/// By the magic number at the beginning; nothing where none fits.
std::optional<Compression> DetectCompression(std::span<const std::byte> data);

/// Unpacks `input`, one whole stream, so that it fills `output` exactly; memory beyond that is
/// bounded whatever the stream says. kLz4 is the legacy frame, which is what the kernel uses: it
/// carries no checksum and no end mark, so for it `input` must end where the stream does.
///
/// Fails with kUnsupported for kLzo (no code here), kCorrupt for a damaged stream or one of another
/// unpacked size, kLimitExceeded where a stream wants too large a dictionary.
Result<void> Decompress(Compression compression, std::span<const std::byte> input,
                        std::span<std::byte> output);

}  // namespace tidevm::boot
