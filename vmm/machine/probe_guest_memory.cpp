#include "vmm/machine/probe_guest_memory.h"

#include <cstdint>
#include <cstring>

#include "vmm/machine/probe_guest_abi.h"
#include "vmm/vcpu/long_mode_entry.h"

// probe_guest.S
extern "C" const std::byte tidevm_probe_guest_begin[];
extern "C" const std::byte tidevm_probe_guest_end[];

namespace tidevm::machine {
namespace {

/// The start of the blob; offsets from there.
struct BlobHeader {
  std::uint32_t stubs;
  std::uint32_t user_page;
  std::array<std::uint32_t, kProbeTests> entries;
};

std::span<const std::byte> Blob() { return {tidevm_probe_guest_begin, tidevm_probe_guest_end}; }

BlobHeader Header() {
  BlobHeader header{};
  std::memcpy(&header, Blob().data(), sizeof header);
  return header;
}

// Page table entries: Intel SDM vol. 3A, 4.5.
constexpr std::uint64_t kPresent = 1U << 0;
constexpr std::uint64_t kWritable = 1U << 1;
constexpr std::uint64_t kUser = 1U << 2;
constexpr std::uint64_t kWriteThrough = 1U << 3;
constexpr std::uint64_t kCacheDisable = 1U << 4;
constexpr std::uint64_t kLargePage = 1U << 7;
constexpr std::uint64_t kTable = kPresent | kWritable | kUser;
constexpr std::size_t kEntrySize = 8;
constexpr unsigned kPageBits = 12;
constexpr unsigned kPdBits = 21;
constexpr unsigned kPdptBits = 30;
constexpr std::uint64_t kIndexMask = 0x1ff;

// The 64-bit TSS: Intel SDM vol. 3A, 7.7.
constexpr std::size_t kTssSize = 104;
constexpr std::size_t kTssRsp0 = 4;
constexpr std::size_t kTssIoMap = 102;
constexpr std::uint8_t kBusyTss = 11;
constexpr std::array<std::uint64_t, 6> kSegments = {
    0,
    0,
    0x00af9b000000ffff,  // PROBE_KERNEL_CS
    0x00cf93000000ffff,  // PROBE_KERNEL_DS
    0x00cff3000000ffff,  // PROBE_USER_SS
    0x00affb000000ffff,  // PROBE_USER_CS
};
constexpr std::size_t kGdtSize = PROBE_TR + 2 * kEntrySize;

// Gates: Intel SDM vol. 3A, 6.14.1.
constexpr std::size_t kGateSize = 16;
constexpr std::size_t kIdtSize = (PROBE_SYSTEM_VECTOR + 1) * kGateSize;
constexpr std::uint64_t kInterruptGate = 0x8e;
constexpr std::uint64_t kInterruptGateForUser = 0xee;
constexpr unsigned kBreakpoint = 3;

}  // namespace

ProbeMemory::ProbeMemory() : pages_(std::make_unique<Page[]>(PROBE_MEMORY_SIZE / kPageSize)) {
  const std::span<const std::byte> blob = Blob();
  std::memcpy(bytes().subspan(PROBE_BLOB, blob.size()).data(), blob.data(), blob.size());
  WritePageTables();
  WriteSegments();
  WriteInterruptTable();
}

std::span<std::byte> ProbeMemory::bytes() {
  return {pages_[0].bytes.data(), std::size_t{PROBE_MEMORY_SIZE}};
}

template <typename Value>
void ProbeMemory::Store(std::size_t address, Value value) {
  std::memcpy(bytes().subspan(address, sizeof value).data(), &value, sizeof value);
}

void ProbeMemory::WritePageTables() {
  Store(PROBE_PML4, PROBE_PDPT | kTable);
  Store(PROBE_PDPT, PROBE_PD_LOW | kTable);
  Store(PROBE_PD_LOW, PROBE_PT_LOW | kTable);
  const std::uint64_t user_page = PROBE_BLOB + Header().user_page;
  for (std::uint64_t page = 0; page < PROBE_MEMORY_SIZE; page += kPageSize) {
    const bool user = page == PROBE_USER_STACK_PAGE || page == user_page;
    Store(PROBE_PT_LOW + (page >> kPageBits) * kEntrySize,
          page | kPresent | kWritable | (user ? kUser : 0));
  }
  constexpr std::uint64_t kLapic = PROBE_LAPIC;
  static_assert(kLapic % (1U << kPdBits) == 0);
  Store(PROBE_PDPT + (kLapic >> kPdptBits) * kEntrySize, PROBE_PD_HIGH | kTable);
  Store(PROBE_PD_HIGH + (kLapic >> kPdBits & kIndexMask) * kEntrySize,
        kLapic | kPresent | kWritable | kWriteThrough | kCacheDisable | kLargePage);
}

void ProbeMemory::WriteSegments() {
  Store(PROBE_GDT, kSegments);
  static_assert(sizeof kSegments == PROBE_TR);
  // The base fits into the low half of the descriptor's first eight bytes.
  static_assert(PROBE_TSS < 0x1000000);
  Store(PROBE_GDT + PROBE_TR,
        std::uint64_t{0x0000890000000000} | (kTssSize - 1) | std::uint64_t{PROBE_TSS} << 16);
  Store(PROBE_TSS + kTssRsp0, std::uint64_t{PROBE_INTERRUPT_STACK_TOP});
  Store(PROBE_TSS + kTssIoMap, static_cast<std::uint16_t>(kTssSize));  // no I/O bitmap
}

void ProbeMemory::WriteInterruptTable() {
  const std::uint64_t stubs = PROBE_BLOB + Header().stubs;
  const auto write = [&](std::size_t vector, std::size_t stub, std::uint64_t type) {
    const std::uint64_t target = stubs + stub * PROBE_STUB_BYTES;
    Store(PROBE_IDT + vector * kGateSize,
          (target & 0xffff) | PROBE_KERNEL_CS << 16 | type << 40 | (target >> 16 & 0xffff) << 48);
  };
  for (std::size_t vector = 0; vector < PROBE_EXCEPTIONS; ++vector) {
    write(vector, vector, vector == kBreakpoint ? kInterruptGateForUser : kInterruptGate);
  }
  write(PROBE_SYSTEM_VECTOR, PROBE_EXCEPTIONS, kInterruptGateForUser);
}

Result<void> ProbeMemory::Enter(kvm::Vcpu& vcpu, ProbeTest test) const {
  const vcpu::LongModeEntry entry{
      .rip = PROBE_BLOB + Header().entries.at(static_cast<std::size_t>(test)),
      .cr3 = PROBE_PML4,
      .gdt_base = PROBE_GDT,
      .gdt_limit = static_cast<std::uint16_t>(kGdtSize - 1),
      .code_selector = PROBE_KERNEL_CS,
      .data_selector = PROBE_KERNEL_DS,
  };
  if (auto entered = vcpu::EnterLongMode(vcpu, entry); !entered) {
    return entered;
  }
  auto sregs = vcpu.GetSregs();
  if (!sregs) {
    return tl::make_unexpected(std::move(sregs.error()));
  }
  sregs->idt.base = PROBE_IDT;
  sregs->idt.limit = kIdtSize - 1;
  sregs->tr = {};
  sregs->tr.base = PROBE_TSS;
  sregs->tr.limit = kTssSize - 1;
  sregs->tr.selector = PROBE_TR;
  sregs->tr.type = kBusyTss;
  sregs->tr.present = 1;
  return vcpu.SetSregs(*sregs);
}

}  // namespace tidevm::machine
