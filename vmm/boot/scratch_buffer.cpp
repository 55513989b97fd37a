#include "vmm/boot/scratch_buffer.h"

#include <sys/mman.h>

#include <utility>

#include "vmm/boot/size_text.h"

namespace tidevm::boot {

Result<ScratchBuffer> ScratchBuffer::Create(std::uint64_t size) {
  void* const at =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    return FailErrno(errno, "cannot get {} of host memory to unpack the kernel in", SizeText(size));
  }
  // Written once from end to end: where the host gives huge pages, that is a fault for each 2 MiB.
  (void)::madvise(at, size, MADV_HUGEPAGE);
  return ScratchBuffer({static_cast<std::byte*>(at), size});
}

ScratchBuffer::ScratchBuffer(ScratchBuffer&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

ScratchBuffer& ScratchBuffer::operator=(ScratchBuffer&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

ScratchBuffer::~ScratchBuffer() {
  if (!bytes_.empty()) {
    ::munmap(bytes_.data(), bytes_.size());
  }
}

}  // namespace tidevm::boot
