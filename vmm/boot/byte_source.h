// Random-access bytes: a file, or a kernel that was unpacked into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tidevm/result.h"

namespace tidevm::boot {

/// Where an image is read from. Messages do not name the source; the caller puts the name in front.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = default;
  ByteSource& operator=(const ByteSource&) = default;
  virtual ~ByteSource() = default;

  virtual std::uint64_t Size() const = 0;

  /// Fills `out` from `offset`. Fails with kCorrupt where the source ends first, kIo where reading
  /// fails.
  virtual Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const = 0;

  /// The same for a plain structure.
  template <typename T>
  Result<T> ReadAs(std::uint64_t offset) const {
    T value{};
    return Read(offset, std::as_writable_bytes(std::span(&value, 1))).map([&] { return value; });
  }
};

/// A regular file, by its descriptor. It is read and never mapped: a file that shrinks under a
/// mapping would end the VMM with SIGBUS.
class FileSource final : public ByteSource {
 public:
  /// Borrows `fd`, whose file position is neither used nor moved. Fails with kInvalidArgument for
  /// anything but a regular file.
  static Result<FileSource> Open(int fd);

  std::uint64_t Size() const override { return size_; }
  Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  FileSource(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  int fd_;
  std::uint64_t size_;
};

/// Bytes in memory, borrowed.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t Size() const override { return bytes_.size(); }
  Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tidevm::boot
