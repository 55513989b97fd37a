// Ports and addresses where nothing is: they read as all ones, and take what is written.
#include <initializer_list>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "tidevm/cpu_hotplug_registers.h"
#include "tidevm/guest_layout.h"

namespace tidevm::bare_metal {
namespace {

constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

struct Ports {
  std::uint32_t first;
  std::uint32_t count;
};
/// Of tidevm's devices, and of KVM's two interrupt controllers (8259) with their edge registers.
constexpr Ports kClaimed[] = {
    {layout::kUartPort, layout::kUartPorts},
    {layout::kPvpanicPort, 1},
    {cpu_hotplug::kBasePort, cpu_hotplug::kBlockSize},
    {layout::kPowerPort, layout::kPowerPorts},
    {0x20, 2},
    {0xa0, 2},
    {0x4d0, 2},
};

bool IsClaimed(std::uint32_t port) {
  for (const Ports& ports : kClaimed) {
    if (port - ports.first < ports.count) {
      return true;
    }
  }
  return false;
}

template <typename Value>
void TryPort(std::uint16_t port) {
  Expect(In<Value>(port), static_cast<Value>(kAllOnes), "port ", Hex{port}, ", ", sizeof(Value),
         " bytes");
  Out(port, static_cast<Value>(0x5a5a5a5a));
}

template <typename Value>
void TryAddress(std::uint64_t address) {
  Expect(ReadMemory<Value>(address), static_cast<Value>(kAllOnes), "address ", Hex{address}, ", ",
         sizeof(Value), " bytes");
  WriteMemory(address, static_cast<Value>(0x5a5a5a5a5a5a5a5a));
}

void TryAllWidths(std::uint64_t address) {
  TryAddress<std::uint8_t>(address);
  TryAddress<std::uint16_t>(address);
  TryAddress<std::uint32_t>(address);
  TryAddress<std::uint64_t>(address);
}

}  // namespace

BARE_METAL_CASE(EveryPortReadsAllOnesAndTakesWrites) {
  for (std::uint32_t port = 0; port <= 0xffff; ++port) {
    if (!IsClaimed(port)) {
      const auto narrow = static_cast<std::uint16_t>(port);
      TryPort<std::uint8_t>(narrow);
      TryPort<std::uint16_t>(narrow);
      TryPort<std::uint32_t>(narrow);
    }
  }
}

BARE_METAL_CASE(StringsToAndFromAPortWhereNothingIs) {
  constexpr std::uint16_t kPort = 0x1234;
  constexpr std::uint32_t kBytes = 8192;
  static std::uint8_t buffer[kBytes];
  const void* from = buffer;
  std::uint64_t count = kBytes;
  asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(kPort) : "memory");
  void* into = buffer;
  count = kBytes / 4;
  asm volatile("rep insl" : "+D"(into), "+c"(count) : "d"(kPort) : "memory");
  for (const std::uint8_t byte : buffer) {
    Expect(byte, 0xff, "a byte of a string");
  }
}

// Memory is 32 MiB, so most below 4 GiB is nobody's; page tables map all of it.
BARE_METAL_CASE(MemoryOfNobodyReadsAllOnesAndTakesWrites) {
  constexpr std::uint64_t kMebibyte = 1U << 20;
  constexpr std::uint64_t kPage = 4096;
  for (std::uint64_t address = 32 * kMebibyte; address < layout::kMmioGapEnd;
       address += 16 * kMebibyte) {
    TryAllWidths(address);
  }
  for (std::uint64_t address = layout::kMmioGapStart; address < layout::kMmioGapEnd;
       address += 4 * kMebibyte) {
    // The APICs are KVM's, and so may be the pages for Intel hosts: not their first bytes, then.
    TryAllWidths(address + kMebibyte);
    TryAllWidths(address + kMebibyte + kPage - 1);  // over a page's edge
  }
  TryAllWidths(layout::kMmioGapStart - 3);
  for (const std::uint64_t width : {1U, 2U, 4U, 8U}) {
    TryAddress<std::uint8_t>(layout::kMmioGapEnd - width);
  }
  TryAddress<std::uint64_t>(layout::kMmioGapEnd - 8);
  TryAddress<std::uint64_t>(layout::kIoApic + kPage);
  TryAddress<std::uint64_t>(layout::kLocalApic - 8);
}

// Half of it is there.
BARE_METAL_CASE(AnAccessOverTheEndOfMemory) {
  constexpr std::uint64_t kEnd = 32U << 20;
  WriteMemory<std::uint32_t>(kEnd - 4, 0x11223344);
  Expect(ReadMemory<std::uint64_t>(kEnd - 4), 0xffffffff11223344, "reading over the end");
  WriteMemory<std::uint64_t>(kEnd - 4, 0xaabbccdd55667788);
  Expect(ReadMemory<std::uint32_t>(kEnd - 4), 0x55667788, "what was written before the end");
}

}  // namespace tidevm::bare_metal
