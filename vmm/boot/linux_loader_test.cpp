#include "vmm/boot/linux_loader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "tidevm/guest_layout.h"
#include "vmm/boot/byte_source.h"
#include "vmm/boot/test_images.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using ::testing::StartsWith;

class LinuxLoaderTest : public ::testing::Test {
 protected:
  BootRequest Request() const {
    return {.kernel_fd = kernel_.get(),
            .kernel_name = "/x/vmlinuz",
            .initrd_fd = initrd_.get(),
            .initrd_name = "/x/initrd.img",
            .command_line = "console=ttyS0",
            .acpi_rsdp = layout::kAcpiStart};
  }

  GuestMemory memory_ = GuestMemory::Create(64ULL << 20).value();
  UniqueFd kernel_ =
      test::MakeFile(test::MakeBzImage(test::MakePayload(Compression::kLz4, test::MakeElf())));
  UniqueFd initrd_ = test::MakeFile(test::Pattern(10'000));
};

TEST_F(LinuxLoaderTest, WritesAllThatTheKernelNeeds) {
  const auto guest = LoadLinux(memory_, Request());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(guest->entry.rip, test::kEntry);
  EXPECT_EQ(guest->image_format, "bzImage 2.15, lz4 payload unpacked on the host");
  EXPECT_EQ(guest->note, "");
  EXPECT_EQ(guest->kernel.end(), test::kElfEnd);
  EXPECT_EQ(guest->initrd.size, 10'000U);
  ::boot_params params;
  std::memcpy(&params, memory_.At(guest->entry.boot_params, sizeof(params))->data(),
              sizeof(params));
  EXPECT_EQ(params.hdr.ramdisk_image + 0, guest->initrd.start);
  EXPECT_EQ(params.hdr.init_size + 0, 0x400000U);
}

TEST_F(LinuxLoaderTest, LoadsTheSameAgainAfterAReset) {
  const auto first = LoadLinux(memory_, Request());
  ASSERT_TRUE(first) << first.error().message;
  const auto before = memory_.At(0, memory_.size()).value();
  const Bytes copy(before.begin(), before.end());
  ASSERT_TRUE(memory_.Clear());
  const auto second = LoadLinux(memory_, Request());
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->entry.rip, first->entry.rip);
  EXPECT_EQ(std::memcmp(copy.data(), memory_.At(0, memory_.size())->data(), copy.size()), 0);
}

TEST_F(LinuxLoaderTest, AnInitrdIsOptional) {
  initrd_.Reset();
  const auto guest = LoadLinux(memory_, Request());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(guest->initrd, GpaRange{});
}

TEST_F(LinuxLoaderTest, ErrorsBeginWithTheFile) {
  initrd_ = test::MakeFile({});
  const auto initrd = LoadLinux(memory_, Request());
  ASSERT_FALSE(initrd);
  EXPECT_THAT(initrd.error().message, StartsWith("initrd /x/initrd.img: the file is empty"));
  kernel_ = test::MakeFile(test::ToBytes("PK"));
  const auto kernel = LoadLinux(memory_, Request());
  ASSERT_FALSE(kernel);
  EXPECT_THAT(kernel.error().message, StartsWith("kernel /x/vmlinuz: not a Linux kernel for x86"));
}

TEST_F(LinuxLoaderTest, OnlyRegularFilesAreRead) {
  kernel_ = UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto folder = LoadLinux(memory_, Request());
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, StartsWith("kernel /x/vmlinuz: not a regular file"));
  kernel_.Reset();
  const auto closed = LoadLinux(memory_, Request());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().sys_errno, EBADF);
}

TEST_F(LinuxLoaderTest, AFileThatShrinksWhileItIsReadIsAnError) {
  const auto source = FileSource::Open(initrd_.get());
  ASSERT_TRUE(source);
  ASSERT_EQ(::ftruncate(initrd_.get(), 6000), 0);
  Bytes out(10'000);
  const auto read = source->Read(0, out);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, StartsWith("shrank from 10,000 to 6,000 bytes"));
}

}  // namespace
}  // namespace tidevm::boot
