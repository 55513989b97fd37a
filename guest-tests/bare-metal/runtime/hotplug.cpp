#include "guest-tests/bare-metal/runtime/hotplug.h"

#include "guest-tests/bare-metal/runtime/instructions.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal::hotplug {

using namespace cpu_hotplug;

void Select(std::uint32_t cpu) { Out<std::uint32_t>(kBasePort + kSelectorOffset, cpu); }
std::uint8_t Flags() { return In8(kBasePort + kFlagsOffset); }
void WriteFlags(std::uint8_t flags) { Out8(kBasePort + kFlagsOffset, flags); }
void Command(std::uint8_t command) { Out8(kBasePort + kCommandOffset, command); }
std::uint32_t Data() { return In<std::uint32_t>(kBasePort + kCommandDataOffset); }
void WriteData(std::uint32_t value) { Out(kBasePort + kCommandDataOffset, value); }

std::uint8_t FlagsOf(std::uint32_t cpu) {
  Select(cpu);
  return Flags();
}

void WriteFlagsOf(std::uint32_t cpu, std::uint8_t flags) {
  Select(cpu);
  WriteFlags(flags);
}

ApicId ApicIdOf(std::uint32_t cpu) {
  Select(cpu);
  Command(kCommandApicId);
  return Data();
}

void ReportOst(std::uint32_t cpu, std::uint32_t event, std::uint32_t status) {
  Select(cpu);
  Command(kCommandOstEvent);
  WriteData(event);
  Command(kCommandOstStatus);
  WriteData(status);
}

Event NextEvent() {
  Command(kCommandNextWithEvent);
  Event event;
  event.cpu = Data();
  event.flags = Flags();
  return event;
}

CpuId AcceptInsert() {
  while (true) {
    const Event event = NextEvent();
    if (event.insert()) {
      WriteFlags(kFlagInsertEvent);
      return event.cpu;
    }
    Pause();
  }
}

CpuId AcceptRemove() {
  while (true) {
    const Event event = NextEvent();
    if (event.remove()) {
      WriteFlags(kFlagRemoveEvent);
      return event.cpu;
    }
    Pause();
  }
}

void Serve(const Event& event) {
  if (event.insert()) {
    WriteFlagsOf(event.cpu, kFlagInsertEvent);
    ReportOst(event.cpu, kOstDeviceCheck, kOstSuccess);
  } else if (event.remove()) {
    WriteFlagsOf(event.cpu, kFlagRemoveEvent);
    Eject(event.cpu);
  }
}

void ServeUntil(const char* word) {
  while (!HasInput()) {
    Serve(NextEvent());
  }
  WaitForWord(word);
}

}  // namespace tidevm::bare_metal::hotplug
