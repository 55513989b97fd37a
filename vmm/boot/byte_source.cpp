#include "vmm/boot/byte_source.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

Result<void> CheckRange(std::uint64_t offset, std::uint64_t wanted, std::uint64_t size) {
  if (offset > size || wanted > size - offset) {
    return Fail(ErrorCode::kCorrupt,
                "truncated: {} bytes are needed at offset {}, it ends after {}", Grouped(wanted),
                Grouped(offset), Grouped(size));
  }
  return {};
}

}  // namespace

Result<FileSource> FileSource::Open(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) {
    return FailErrno(errno, "cannot ask for its size");
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument,
                "not a regular file; it is read again at each guest reset, so give a file");
  }
  return FileSource(fd, static_cast<std::uint64_t>(status.st_size));
}

Result<void> FileSource::Read(std::uint64_t offset, std::span<std::byte> out) const {
  if (auto fits = CheckRange(offset, out.size(), size_); !fits) {
    return fits;
  }
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FailErrno(errno, "cannot read {} bytes at offset {}", Grouped(out.size()),
                       Grouped(offset));
    }
    if (got == 0) {
      return Fail(ErrorCode::kCorrupt,
                  "shrank from {} to {} bytes while it was read; replace such a file by renaming a "
                  "new one over it",
                  Grouped(size_), Grouped(offset));
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<void> MemorySource::Read(std::uint64_t offset, std::span<std::byte> out) const {
  return CheckRange(offset, out.size(), bytes_.size()).map([&] {
    if (!out.empty()) {
      std::memcpy(out.data(), bytes_.data() + offset, out.size());
    }
  });
}

}  // namespace tidevm::boot
