// Memory for one large, short-lived thing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tidevm/result.h"

namespace tidevm::boot {

/// Anonymous pages, mapped on creation (no page is touched) and given back to the host on
/// destruction. Not the heap, because malloc may keep a freed block of this size for the rest of
/// the process, and a kernel image is many times the VMM's own footprint.
class ScratchBuffer {
 public:
  /// `size` in bytes, at least 1. Fails with kIo (ENOMEM) where the host has no room.
  static Result<ScratchBuffer> Create(std::uint64_t size);

  ScratchBuffer(ScratchBuffer&& other) noexcept;
  ScratchBuffer& operator=(ScratchBuffer&& other) noexcept;
  ScratchBuffer(const ScratchBuffer&) = delete;
  ScratchBuffer& operator=(const ScratchBuffer&) = delete;
  ~ScratchBuffer();

  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit ScratchBuffer(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

}  // namespace tidevm::boot
