#include "vmm/boot/kernel_image.h"

#include "vmm/boot/kernel_fixture.h"

namespace tidevm::boot {
namespace {

using test::Bytes;
using test::ToBytes;

class KernelImageTest : public test::KernelFixture {
 protected:
  void ExpectNoKernel(const Bytes& image, const std::string& words) {
    ExpectRefused(image, ErrorCode::kInvalidArgument, words);
  }
};

TEST_F(KernelImageTest, SaysWhatWasFoundInstead) {
  ExpectNoKernel({}, "the file is empty");
  ExpectNoKernel(ToBytes("PK\x03\x04 and more"), "a zip archive ('PK')");
  ExpectNoKernel(ToBytes("070701 and more"), "give it with --initrd");
  ExpectNoKernel(ToBytes("!<arch>\ndebian-binary"), "a package or archive");
  ExpectNoKernel(ToBytes("#!/bin/sh"), "a script");
  ExpectNoKernel(ToBytes("MZ and more"), "an EFI program without a Linux setup header");
  ExpectNoKernel(ToBytes("\x1f\x8b and more"), "a gzip file; unpack it");
  ExpectNoKernel(ToBytes("hello"), "5 bytes that begin with 68 65 6c 6c 6f 'hello'");
}

TEST_F(KernelImageTest, KnowsAnArm64Image) {
  Bytes image = ToBytes("MZ");
  image.resize(4096);
  const Bytes magic = ToBytes("ARMd");
  std::copy(magic.begin(), magic.end(), image.begin() + 56);
  ExpectNoKernel(image, "an arm64 kernel; give an x86-64 one");
}

TEST_F(KernelImageTest, ABootSectorAloneIsNoKernel) {
  Bytes sector(512);
  sector[510] = std::byte{0x55};
  sector[511] = std::byte{0xaa};
  ExpectNoKernel(sector, "512 bytes that begin with 00 00");
}

}  // namespace
}  // namespace tidevm::boot
