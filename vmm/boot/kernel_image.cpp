#include "vmm/boot/kernel_image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string>
#include <string_view>

#include "vmm/boot/bzimage.h"
#include "vmm/boot/decompress.h"
#include "vmm/boot/elf_kernel.h"
#include "vmm/boot/size_text.h"

namespace tidevm::boot {
namespace {

using namespace std::string_view_literals;

/// Things that people hand to --kernel by mistake, and what to do instead.
struct Mistake {
  std::size_t offset;
  std::string_view magic;
  std::string_view what;
};
constexpr std::array kMistakes = {
    Mistake{56, "ARMd"sv, "an arm64 kernel; give an x86-64 one"},
    Mistake{0, "MZ"sv,
            "an EFI program without a Linux setup header; if it is a unified kernel image, give "
            "the kernel in its .linux section (objcopy -O binary --only-section=.linux)"},
    Mistake{0, "070701"sv, "a cpio archive, as initrds are; give it with --initrd"},
    Mistake{0, "!<arch>"sv, "a package or archive; unpack it and give the vmlinuz in it"},
    Mistake{0, "PK"sv, "a zip archive ('PK'); unpack it and give the vmlinuz in it"},
    Mistake{0, "hsqs"sv, "a squashfs image; give the vmlinuz in it"},
    Mistake{0, "#!"sv, "a script; give a vmlinuz or vmlinux"},
};

std::string FirstBytes(std::span<const std::byte> head) {
  std::string hex;
  std::string text;
  for (const std::byte byte : head.first(std::min<std::size_t>(head.size(), 8))) {
    const int value = std::to_integer<int>(byte);
    hex += fmt::format("{:02x} ", value);
    text += std::isprint(value) != 0 ? static_cast<char>(value) : '.';
  }
  return fmt::format("{}'{}'", hex, text);
}

std::string Describe(std::span<const std::byte> head, std::uint64_t size) {
  if (head.empty()) {
    return "the file is empty; fetch it again";
  }
  for (const Mistake& mistake : kMistakes) {
    if (head.size() >= mistake.offset + mistake.magic.size() &&
        std::memcmp(&head[mistake.offset], mistake.magic.data(), mistake.magic.size()) == 0) {
      return std::string(mistake.what);
    }
  }
  if (const auto compression = DetectCompression(head)) {
    return fmt::format(
        "a {} file; unpack it and give the kernel in it (an initrd goes to --initrd)",
        Name(*compression));
  }
  return fmt::format("{} bytes that begin with {}; give a vmlinuz (bzImage) or vmlinux (ELF)",
                     Grouped(size), FirstBytes(head));
}

}  // namespace

Result<LoadedKernel> LoadKernel(const GuestMemory& memory, const ByteSource& file) {
  std::array<std::byte, kBzImageHeadSize> buffer{};
  const auto head = std::span(buffer).first(std::min<std::size_t>(buffer.size(), file.Size()));
  if (auto read = file.Read(0, head); !read) {
    return tl::make_unexpected(read.error());
  }
  if (IsElf(head)) {
    return LoadElfKernel(memory, file);
  }
  if (IsBzImage(head)) {
    return LoadBzImage(memory, file);
  }
  return Fail(ErrorCode::kInvalidArgument, "not a Linux kernel for x86: {}",
              Describe(head, file.Size()));
}

}  // namespace tidevm::boot
