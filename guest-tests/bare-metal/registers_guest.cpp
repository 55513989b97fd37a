// The register contract of include/tidevm/cpu_hotplug_registers.h, from the guest's side. CPUs 0
// and 1 are there, no event waits.
#include <initializer_list>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/hotplug.h"
#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"
#include "tidevm/cpu_hotplug_registers.h"

namespace tidevm::bare_metal {
namespace {

using namespace cpu_hotplug;

constexpr unsigned kWidths[] = {1, 2, 4};  // a port access has no other
constexpr std::uint32_t kAllOnes = 0xffffffff;

std::uint32_t ReadWide(std::uint16_t port, unsigned width) {
  switch (width) {
    case 1:
      return In<std::uint8_t>(port);
    case 2:
      return In<std::uint16_t>(port);
    default:
      return In<std::uint32_t>(port);
  }
}

void WriteWide(std::uint16_t port, unsigned width, std::uint32_t value) {
  switch (width) {
    case 1:
      return Out(port, static_cast<std::uint8_t>(value));
    case 2:
      return Out(port, static_cast<std::uint16_t>(value));
    default:
      return Out(port, value);
  }
}

std::uint32_t OnesOf(unsigned width) { return kAllOnes >> (32 - 8 * width); }

/// CPU 1 is selected, and data reads its APIC id: whatever is written to the selector, the command
/// or the flags shows.
void SelectCpu1() { Expect(hotplug::ApicIdOf(1), 1, "APIC id of CPU 1"); }
void ExpectCpu1Selected(const char* after, std::uint32_t offset, unsigned width) {
  Expect(hotplug::Data(), 1, "data after ", after, " of ", width, " bytes at ", offset);
  Expect(hotplug::Flags(), kFlagPresent, "flags after ", after, " of ", width, " bytes at ",
         offset);
}

}  // namespace

BARE_METAL_CASE(EachOffsetReadInEachWidth) {
  SelectCpu1();
  for (const unsigned width : kWidths) {
    for (std::uint16_t offset = 0; offset < kBlockSize; ++offset) {
      std::uint32_t expected = 0;
      if (offset + width > kBlockSize) {
        expected = OnesOf(width);  // it reaches beyond the block, where nothing is
      } else if (offset == kFlagsOffset && width == 1) {
        expected = kFlagPresent;
      } else if (offset == kCommandDataOffset && width == 4) {
        expected = 1;
      }
      Expect(ReadWide(kBasePort + offset, width), expected, "reading ", width, " bytes at ",
             offset);
      ExpectCpu1Selected("reading", offset, width);
    }
  }
}

BARE_METAL_CASE(EachOffsetWrittenInAWrongWidthChangesNothing) {
  SelectCpu1();
  constexpr std::uint32_t kValues[] = {0, 0x00000001, 0x08080808, kAllOnes};
  for (const unsigned width : kWidths) {
    for (std::uint16_t offset = 0; offset < kBlockSize; ++offset) {
      const bool is_register =
          (offset == kSelectorOffset && width == 4) || (offset == kFlagsOffset && width == 1) ||
          (offset == kCommandOffset && width == 1) || (offset == kCommandDataOffset && width == 4);
      for (const std::uint32_t value : kValues) {
        if (!is_register) {
          WriteWide(kBasePort + offset, width, value);
          ExpectCpu1Selected("writing", offset, width);
        }
      }
    }
  }
}

BARE_METAL_CASE(ASelectorOutOfRangeReadsZeroAndWritesNothing) {
  for (const std::uint32_t selector : {2U, 3U, 0xffU, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    hotplug::Select(selector);
    Expect(hotplug::Flags(), 0, "flags of CPU ", selector);
    for (unsigned command = 0; command <= 0xff; ++command) {
      hotplug::Select(selector);
      hotplug::Command(static_cast<std::uint8_t>(command));
      // "Next CPU with an event" finds none, and leaves the selector where it was.
      Expect(hotplug::Data(), 0, "data of CPU ", selector, " after command ", command);
      hotplug::WriteData(kAllOnes);
    }
    hotplug::WriteFlags(0xff);
    Expect(hotplug::FlagsOf(0), kFlagPresent, "flags of CPU 0");
    Expect(hotplug::FlagsOf(1), kFlagPresent, "flags of CPU 1");
  }
}

BARE_METAL_CASE(EachCommandGivesItsData) {
  for (std::uint32_t cpu = 0; cpu < 2; ++cpu) {
    hotplug::Select(cpu);
    for (unsigned command = 0; command <= 0xff; ++command) {
      hotplug::Command(static_cast<std::uint8_t>(command));
      const bool gives_cpu = command == kCommandNextWithEvent || command == kCommandApicId;
      Expect(hotplug::Data(), gives_cpu ? cpu : 0, "data of CPU ", cpu, " after command ", command);
      Expect(In<std::uint32_t>(kBasePort + kCommandData2Offset), 0, "data 2 after command ",
             command);
    }
  }
}

BARE_METAL_CASE(StringAccessesAreThoseOfTheirWidthOneByOne) {
  constexpr std::uint32_t kSelectors[] = {5, kAllOnes, 0, 1};
  const void* from = kSelectors;
  std::uint64_t count = 4;
  asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(kBasePort + kSelectorOffset) : "memory");
  constexpr std::uint8_t kCommands[] = {kCommandOstEvent, 0xff, kCommandApicId};
  from = kCommands;
  count = 3;
  asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(kBasePort + kCommandOffset) : "memory");
  ExpectCpu1Selected("string", 0, 4);

  std::uint32_t data[4] = {};
  void* into = data;
  count = 4;
  asm volatile("rep insl"
               : "+D"(into), "+c"(count)
               : "d"(kBasePort + kCommandDataOffset)
               : "memory");
  for (const std::uint32_t value : data) {
    Expect(value, 1, "data by INS");
  }
  std::uint8_t flags[5] = {};
  into = flags;
  count = 5;
  asm volatile("rep insb" : "+D"(into), "+c"(count) : "d"(kBasePort + kFlagsOffset) : "memory");
  for (const std::uint8_t value : flags) {
    Expect(value, kFlagPresent, "flags by INS");
  }
  std::uint16_t words[3] = {0xffff, 0xffff, 0xffff};
  into = words;
  count = 3;
  asm volatile("rep insw" : "+D"(into), "+c"(count) : "d"(kBasePort + kFlagsOffset) : "memory");
  for (const std::uint16_t value : words) {
    Expect(value, 0, "flags by INS, two bytes wide");
  }
}

// REX.W means nothing to a processor here. A KVM that interprets may take it for eight bytes.
BARE_METAL_CASE(AnAccessWithRexWHarmsNothing) {
  SelectCpu1();
  for (std::uint16_t offset = 0; offset < kBlockSize; offset += 4) {
    const auto port = static_cast<std::uint16_t>(kBasePort + offset);
    std::uint64_t value = 1;
    asm volatile("rex.w outl %%eax, %%dx" : : "a"(value), "d"(port));
    asm volatile("rex.w inl %%dx, %%eax" : "=a"(value) : "d"(port));
  }
  SelectCpu1();
  ExpectCpu1Selected("accessing", 0, 8);
}

}  // namespace tidevm::bare_metal
