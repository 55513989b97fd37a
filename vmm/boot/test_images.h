// Small kernels for tests: built byte by byte, so that each field can be wrong.
#pragma once

#include <asm/bootparam.h>
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidevm/ids.h"
#include "tidevm/unique_fd.h"
#include "vmm/boot/decompress.h"

namespace tidevm::boot::test {

using Bytes = std::vector<std::byte>;

inline constexpr Gpa kTextAt = 0x1000000;
inline constexpr Gpa kDataAt = 0x1200000;
inline constexpr Gpa kEntry = kTextAt + 0x10;
inline constexpr std::uint64_t kDataMemorySize = 0x5000;
inline constexpr Gpa kElfEnd = kDataAt + kDataMemorySize;

Bytes ToBytes(std::string_view text);

/// `size` bytes that compress, and differ from place to place.
Bytes Pattern(std::size_t size);

struct Elf {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;
};

/// A two-segment x86-64 executable of about 9 KiB. `change` may spoil its headers before they are
/// written.
Bytes MakeElf(const std::function<void(Elf&)>& change = {});

/// One laid out as Linux is: the first segment at kTextAt and 2 MiB into the file, the second
/// beside it in both, the third lower in memory than that would be. `change` may spoil its headers.
Bytes MakeLinuxElf(const std::function<void(Elf&)>& change = {});

/// What a bzImage's payload is: the stream, then for all but gzip the unpacked size.
Bytes MakePayload(Compression compression, std::span<const std::byte> content);

/// A bzImage 2.15 around `payload`. `change` may spoil its header before it is written.
Bytes MakeBzImage(std::span<const std::byte> payload,
                  const std::function<void(::setup_header&)>& change = {});

Bytes Compress(Compression compression, std::span<const std::byte> content);

/// A file in memory that holds `content`.
UniqueFd MakeFile(std::span<const std::byte> content);

}  // namespace tidevm::boot::test
