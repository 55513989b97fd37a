// Kernel files: each input is loaded as it is, and once more as the payload of an otherwise good
// bzImage, where the decompressors are. Whatever it says of itself, it must end up inside its
// bounds or be refused with a sentence.
//
// The seeds are ELF files and headers as test_images.h makes them, but of a few hundred bytes; such
// an ELF file as gzip, bzip2, xz, lzma, lz4 -l and zstd pack it, with the size behind it that the
// kernel's build puts there; and streams that unpack to far more than they say, or say far too
// much.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "fuzzing/require.h"
#include "tidevm/guest_layout.h"
#include "vmm/boot/bzimage.h"
#include "vmm/boot/linux_loader.h"
#include "vmm/boot/test_images.h"

namespace tidevm::boot {
namespace {

using fuzzing::Require;

constexpr std::uint64_t kInitrdSize = 5000;

GuestMemory& Memory() {
  static GuestMemory memory = GuestMemory::Create(GuestMemory::kMinimumSize).value();
  return memory;
}

/// Pages that were never touched have no memory on the host, so this costs little.
void RequireZero(Gpa start, Gpa end) {
  constexpr Gpa kPage = GuestMemory::kPageSize;
  static const std::array<std::byte, kPage> zeros{};
  const Gpa first = start / kPage * kPage;
  const auto pages = Memory().At(first, (end - first + kPage - 1) / kPage * kPage).value();
  std::vector<unsigned char> touched(pages.size() / kPage);
  if (::mincore(pages.data(), pages.size(), touched.data()) != 0) {
    fuzzing::Found("mincore fails");
  }
  for (Gpa page = first; page < end; page += kPage) {
    const Gpa from = std::max(page, start);
    const auto bytes = pages.subspan(from - first, std::min(page + kPage, end) - from);
    if (touched[(page - first) / kPage] != 0) {
      Require(std::memcmp(bytes.data(), zeros.data(), bytes.size()) == 0,
              "something was written between {:#x} and {:#x}", from, from + bytes.size());
    }
  }
}

void RequireInside(const LoadedGuest& guest) {
  const Gpa end = Memory().LowRamEnd();
  const GpaRange& kernel = guest.kernel;
  const GpaRange& initrd = guest.initrd;
  Require(kernel.start >= layout::kHighRamStart && kernel.size <= end && kernel.end() <= end,
          "a kernel from {:#x} to {:#x}", kernel.start, kernel.end());
  Require(guest.entry.rip >= kernel.start && guest.entry.rip < kernel.end(),
          "the entry {:#x} is outside of the kernel", guest.entry.rip);
  Require(initrd.size == kInitrdSize && initrd.start >= kernel.end() && initrd.end() <= end,
          "an initrd from {:#x} to {:#x}, the kernel ends at {:#x}", initrd.start, initrd.end(),
          kernel.end());
  Require(!guest.image_format.empty(), "a kernel of no format");
  // A page around each; all of the memory would take too long.
  constexpr Gpa kGuard = GuestMemory::kPageSize;
  RequireZero(std::max(kernel.start - kGuard, layout::kHighRamStart), kernel.start);
  RequireZero(kernel.end(), std::min(kernel.end() + kGuard, initrd.start));
  RequireZero(layout::kLowRamEnd, layout::kHighRamStart);
}

void RequireSentence(const Error& error) {
  Require(error.message.starts_with("kernel fuzz: ") ||
              error.message.starts_with("initrd fuzz: ") ||
              error.message.starts_with("the kernel command line"),
          "an error that does not say of what: {}", error.message);
  Require(error.sys_errno == 0, "a system call failed: {}", error.message);
  // Nothing but a kernel that was found good leaves anything below it.
  if (error.message.starts_with("kernel")) {
    RequireZero(0, layout::kHighRamStart);
  }
}

void Load(std::span<const std::byte> image) {
  static const UniqueFd initrd = test::MakeFile(test::Pattern(kInitrdSize));
  if (!Memory().Clear()) {
    fuzzing::Found("guest memory is not to be cleared");
  }
  const UniqueFd kernel = test::MakeFile(image);
  const auto guest = LoadLinux(Memory(), {.kernel_fd = kernel.get(),
                                          .kernel_name = "fuzz",
                                          .initrd_fd = initrd.get(),
                                          .initrd_name = "fuzz",
                                          .command_line = "console=ttyS0",
                                          .acpi_rsdp = layout::kAcpiStart});
  if (guest) {
    RequireInside(*guest);
  } else {
    RequireSentence(guest.error());
  }
}

}  // namespace
}  // namespace tidevm::boot

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm::boot;
  const auto input = std::as_bytes(std::span(data, size));
  Load(input);
  if (!IsBzImage(input)) {
    Load(test::MakeBzImage(input));
  }
  return 0;
}
