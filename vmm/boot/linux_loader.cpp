#include "vmm/boot/linux_loader.h"

#include "vmm/boot/boot_params.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/initrd.h"
#include "vmm/boot/kernel_image.h"

namespace tidevm::boot {
namespace {

Result<LoadedKernel> KernelFrom(const GuestMemory& memory, const BootRequest& request) {
  auto kernel = FileSource::Open(request.kernel_fd).and_then([&](const FileSource& file) {
    return LoadKernel(memory, file);
  });
  if (!kernel) {
    return Chain(kernel.error(), fmt::format("kernel {}", request.kernel_name));
  }
  return kernel;
}

Result<GpaRange> InitrdFrom(const GuestMemory& memory, const BootRequest& request,
                            const LoadedKernel& kernel) {
  if (request.initrd_fd < 0) {
    return GpaRange{};
  }
  auto range = FileSource::Open(request.initrd_fd).and_then([&](const FileSource& file) {
    return LoadInitrd(memory, file, kernel.range.end(), kernel.header.initrd_addr_max);
  });
  if (!range) {
    return Chain(range.error(), fmt::format("initrd {}", request.initrd_name));
  }
  return range;
}

}  // namespace

Result<LoadedGuest> LoadLinux(const GuestMemory& memory, const BootRequest& request) {
  auto kernel = KernelFrom(memory, request);
  if (!kernel) {
    return tl::make_unexpected(kernel.error());
  }
  auto initrd = InitrdFrom(memory, request, *kernel);
  if (!initrd) {
    return tl::make_unexpected(initrd.error());
  }
  return WriteCommandLine(memory, kernel->header, request.command_line)
      .and_then([&] { return WriteBootParams(memory, kernel->header, *initrd, request.acpi_rsdp); })
      .and_then([&] { return WriteBootEntry(memory, kernel->entry); })
      .map([&](const BootEntry& entry) {
        return LoadedGuest{.entry = entry,
                           .image_format = kernel->format,
                           .note = kernel->note,
                           .kernel = kernel->range,
                           .initrd = *initrd};
      });
}

}  // namespace tidevm::boot
