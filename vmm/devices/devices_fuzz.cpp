// Stories of a guest that does whatever it likes with ports and addresses, and of a host that
// types, reads the serial port's output, presses the power button, resets. The bus and the devices
// on it are held against models after each step.
//
// A story is a script (fuzzing/script.h). Small letters are the guest, capitals the host:
//   read ADDRESS WIDTH [COUNT]           Claim BASE SIZE    one more device on the bus
//   write ADDRESS WIDTH VALUE [COUNT]    Input COUNT BYTE   typed
//   fill BYTE   prints until the host    Output COUNT       of the serial port, read
//               would have to read       Button             pressed
//   COUNT: rep ins, rep outs             Reset              of the guest
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzzing/require.h"
#include "fuzzing/script.h"
#include "tidevm/guest_layout.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/device_test_support.h"
#include "vmm/devices/power_device.h"
#include "vmm/devices/pvpanic_device.h"
#include "vmm/devices/uart.h"
#include "vmm/devices/uart_model_fuzz_util.h"

namespace tidevm::devices {
namespace {

using fuzzing::Require;

constexpr int kMostSteps = 300;
constexpr std::uint64_t kMostRepeats = 64;
constexpr std::size_t kMostClaims = 64;

std::uint64_t AllOnes(std::size_t width) { return ~std::uint64_t{0} >> (64 - 8 * width); }

/// Shows how it is read, and keeps what is written.
class EchoDevice final : public IoDevice {
 public:
  explicit EchoDevice(std::uint8_t number) : number_(number) {}

  static std::uint64_t ValueAt(std::uint8_t number, std::uint64_t offset, std::size_t width) {
    return (offset * 0x0101010101010101 + number) & AllOnes(width);
  }

  std::string_view Name() const override { return "echo"; }
  void Read(std::uint64_t offset, std::span<std::byte> data) override {
    const std::uint64_t value = ValueAt(number_, offset, data.size());
    std::memcpy(data.data(), &value, data.size());
  }
  void Write(std::uint64_t offset, std::span<const std::byte> data) override {
    written_at = offset;
    written = 0;
    std::memcpy(&written, data.data(), data.size());
  }

  std::uint64_t written_at = 0;
  std::uint64_t written = 0;

 private:
  std::uint8_t number_;
};

struct CountedEvents final : PowerEvents, PanicEvents {
  void OnPowerOff() override { ++power_offs; }
  void OnReset() override { ++resets; }
  void OnPanicked() override { ++panics; }
  void OnCrashLoaded() override { ++crash_kernels; }
  friend bool operator==(const CountedEvents& a, const CountedEvents& b) {
    return a.power_offs == b.power_offs && a.resets == b.resets && a.panics == b.panics &&
           a.crash_kernels == b.crash_kernels;
  }
  int power_offs = 0;
  int resets = 0;
  int panics = 0;
  int crash_kernels = 0;
};

class Story {
 public:
  Story() {
    Claim(layout::kUartPort, layout::kUartPorts, Device::kUart, *uart_);
    Claim(layout::kPowerPort, layout::kPowerPorts, Device::kPower, power_);
    Claim(layout::kPvpanicPort, 1, Device::kPvpanic, pvpanic_);
  }

  void Step(char command, fuzzing::Script& script);

 private:
  enum class Device { kUart, kPower, kPvpanic, kEcho };
  struct Range {
    std::uint64_t base = 0;
    std::uint64_t size = 0;
    Device device = Device::kEcho;
    EchoDevice* echo = nullptr;
    std::uint8_t number = 0;
  };

  void Claim(std::uint64_t base, std::uint64_t size, Device kind, IoDevice& device,
             EchoDevice* echo = nullptr);
  void ClaimEcho(std::uint64_t base, std::uint64_t size);
  const Range* RangeOf(std::uint64_t address, std::size_t width) const;

  void Read(std::uint64_t address, std::size_t width);
  std::uint64_t ExpectedAt(const Range& range, std::uint64_t offset, std::size_t width);
  void Write(std::uint64_t address, std::size_t width, std::uint64_t value);
  void NoteWrite(const Range& range, std::uint64_t offset, std::size_t width, std::uint64_t value);

  void Fill(std::uint8_t value);
  void Input(std::uint64_t count, std::uint8_t value);
  void Output(std::uint64_t count);
  void RequireSame();

  Bus bus_;
  RecordingLine uart_line_;
  std::unique_ptr<Uart> uart_ = Uart::Create(uart_line_).value();
  UartModel uart_model_;
  CountedEvents events_;
  CountedEvents expected_events_;
  bool filled_ = false;  // once is enough: it takes long
  RecordingLine button_line_;
  bool pressed_ = false;
  PowerDevice power_{events_, button_line_};
  PvpanicDevice pvpanic_{events_};
  std::list<EchoDevice> echoes_;
  std::vector<Range> ranges_;  // those that the bus must have
};

void Story::Step(char command, fuzzing::Script& script) {
  const std::uint64_t first = script.Number();
  const std::uint64_t second = script.Number();
  const std::size_t width =
      second <= 8 && std::has_single_bit(second) ? second : std::size_t{1} << (second % 4);
  switch (command) {
    case 'r':
      for (std::uint64_t n = std::min(script.Number(1), kMostRepeats); n > 0; --n) {
        Read(first, width);
        RequireSame();
      }
      break;
    case 'w': {
      const std::uint64_t value = script.Number();
      for (std::uint64_t n = std::min(script.Number(1), kMostRepeats); n > 0; --n) {
        Write(first, width, value);
        RequireSame();
      }
      break;
    }
    case 'f':
      Fill(static_cast<std::uint8_t>(first));
      break;
    case 'C':
      ClaimEcho(first, second);
      break;
    case 'I':
      Input(first, static_cast<std::uint8_t>(second));
      break;
    case 'O':
      Output(first);
      break;
    case 'B':
      power_.PressPowerButton();
      pressed_ = true;
      break;
    case 'R':
      uart_->Reset();
      uart_model_.Reset();
      power_.Reset();
      pressed_ = false;
      break;
    default:
      break;
  }
  RequireSame();
}

void Story::Claim(std::uint64_t base, std::uint64_t size, Device kind, IoDevice& device,
                  EchoDevice* echo) {
  using Wide = unsigned __int128;
  const Wide end = Wide{base} + size;
  const bool fits = size != 0 && end <= Wide{1} << 64;
  const bool is_free = std::ranges::none_of(ranges_, [&](const Range& range) {
    return base < Wide{range.base} + range.size && range.base < end;
  });
  const auto added = bus_.Add(base, size, device);
  Require(added.has_value() == (fits && is_free), "{:#x} bytes at {:#x}: {}", size, base,
          added ? "taken" : "refused");
  if (added) {
    ranges_.push_back({.base = base,
                       .size = size,
                       .device = kind,
                       .echo = echo,
                       .number = static_cast<std::uint8_t>(echoes_.size())});
  } else {
    Require(added.error().code == (fits ? ErrorCode::kBusy : ErrorCode::kInvalidArgument),
            "refused for another reason: {}", added.error().message);
  }
}

void Story::ClaimEcho(std::uint64_t base, std::uint64_t size) {
  if (echoes_.size() < kMostClaims) {
    EchoDevice& echo = echoes_.emplace_back(static_cast<std::uint8_t>(echoes_.size() + 1));
    Claim(base, size, Device::kEcho, echo, &echo);
  }
}

const Story::Range* Story::RangeOf(std::uint64_t address, std::size_t width) const {
  const auto found = std::ranges::find_if(ranges_, [&](const Range& range) {
    return address >= range.base && address - range.base < range.size &&
           width <= range.size - (address - range.base);
  });
  return found == ranges_.end() ? nullptr : &*found;
}

void Story::Read(std::uint64_t address, std::size_t width) {
  std::array<std::byte, 8> bytes;
  bytes.fill(std::byte{0x5a});
  const Range* const range = RangeOf(address, width);
  const bool answered = bus_.Read(address, std::span(bytes).first(width));
  Require(answered == (range != nullptr), "{} bytes at {:#x}: answered {:d}", width, address,
          answered);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), width);
  const std::uint64_t expected =
      range == nullptr ? AllOnes(width) : ExpectedAt(*range, address - range->base, width);
  Require(value == expected, "a read of {} bytes at {:#x} gave {:#x}, expected {:#x}", width,
          address, value, expected);
}

std::uint64_t Story::ExpectedAt(const Range& range, std::uint64_t offset, std::size_t width) {
  if (range.device == Device::kEcho) {
    return EchoDevice::ValueAt(range.number, offset, width);
  }
  if (width != 1) {
    return AllOnes(width);
  }
  switch (range.device) {
    case Device::kUart:
      return uart_model_.Read(offset);
    case Device::kPower:
      return offset == layout::kPowerButtonOffset && std::exchange(pressed_, false) ? 1 : 0;
    default:
      return PvpanicDevice::kPanicked | PvpanicDevice::kCrashLoaded;
  }
}

void Story::Write(std::uint64_t address, std::size_t width, std::uint64_t value) {
  const Range* const range = RangeOf(address, width);
  value &= AllOnes(width);
  const bool answered = bus_.Write(address, std::as_bytes(std::span(&value, 1)).first(width));
  Require(answered == (range != nullptr), "{} bytes at {:#x}: taken {:d}", width, address,
          answered);
  if (range != nullptr) {
    NoteWrite(*range, address - range->base, width, value);
  }
}

void Story::NoteWrite(const Range& range, std::uint64_t offset, std::size_t width,
                      std::uint64_t value) {
  if (range.device == Device::kEcho) {
    Require(range.echo->written_at == offset && range.echo->written == value,
            "{:#x} written at offset {:#x} arrived as {:#x} at {:#x}", value, offset,
            range.echo->written, range.echo->written_at);
  }
  if (width != 1) {
    return;
  }
  switch (range.device) {
    case Device::kUart:
      uart_model_.Write(offset, static_cast<std::uint8_t>(value));
      break;
    case Device::kPower:
      // Bit 5 is SLP_EN, bits 2 to 4 are SLP_TYP.
      expected_events_.power_offs += offset == 0 && (value & 0x3c) == 0x34 ? 1 : 0;
      expected_events_.resets += offset == layout::kResetOffset && value == layout::kResetValue;
      break;
    case Device::kPvpanic:
      expected_events_.panics += (value & 1) != 0 ? 1 : 0;
      expected_events_.crash_kernels += (value & 3) == 2 ? 1 : 0;
      break;
    case Device::kEcho:
      break;
  }
}

void Story::Fill(std::uint8_t value) {
  if (std::exchange(filled_, true)) {
    return;
  }
  WriteByte(*uart_, uart::kLineControl, 0);
  uart_model_.Write(uart::kLineControl, 0);
  WriteByte(*uart_, uart::kModemControl, 0);
  uart_model_.Write(uart::kModemControl, 0);
  while (uart_model_.output_size() < Uart::kOutputCapacity - uart::kFifoSize) {
    WriteByte(*uart_, uart::kData, value);
    uart_model_.Write(uart::kData, value);
  }
}

void Story::Input(std::uint64_t count, std::uint8_t value) {
  const std::vector<std::byte> bytes(std::min<std::uint64_t>(count, 200), std::byte{value});
  const std::size_t taken = uart_->PushInput(bytes);
  const std::size_t expected = uart_model_.Input(bytes.size(), value);
  Require(taken == expected, "{} of {} typed bytes were taken, expected {}", taken, bytes.size(),
          expected);
}

void Story::Output(std::uint64_t count) {
  while (count > 0) {
    const auto piece = uart_->PeekOutput();
    const std::size_t length = std::min<std::uint64_t>(piece.size(), count);
    if (length == 0) {
      Require(uart_model_.output_size() == 0, "{} bytes of output are missing",
              uart_model_.output_size());
      return;
    }
    const std::string text = AsText(piece.first(length));
    uart_->ConsumeOutput(length);
    Require(text == uart_model_.TakeOutput(length), "the output is not what was written");
    count -= length;
  }
}

void Story::RequireSame() {
  Require(uart_line_.high() == uart_model_.interrupt(), "the serial port's interrupt is {:d}",
          uart_line_.high());
  Require(uart_->dropped_output() == uart_model_.dropped(), "{} bytes dropped, expected {}",
          uart_->dropped_output(), uart_model_.dropped());
  Require(button_line_.high() == pressed_, "the power button's interrupt is {:d}",
          button_line_.high());
  Require(events_ == expected_events_, "other events than the guest caused");
}

}  // namespace
}  // namespace tidevm::devices

std::span<const std::string_view> tidevm::fuzzing::Vocabulary() {
  static constexpr std::string_view kCommands[] = {"read 0x3f% 1",
                                                   "read 0x3f8 1 %",
                                                   "read 0x3fa 1",
                                                   "read 0x3fd 1",
                                                   "read 0x3f% #",
                                                   "read 0xce% 1",
                                                   "read $ 8",
                                                   "write 0x3f8 1 %",
                                                   "write 0x3f8 1 % %",
                                                   "write 0x3f9 1 %",
                                                   "write 0x3fa 1 0x%%",
                                                   "write 0x3fb 1 0x80",
                                                   "write 0x3fb 1 3",
                                                   "write 0x3fc 1 %",
                                                   "write 0x3fc 1 0x1%",
                                                   "write 0x3f% # $",
                                                   "write 0xce% 1 0x%%",
                                                   "write 0x505 1 #",
                                                   "write $ 8 $",
                                                   "fill 1",
                                                   "Claim 0x3f% %",
                                                   "Claim $ $",
                                                   "Claim 0x%00 $",
                                                   "Input % #",
                                                   "Input $ #",
                                                   "Output %",
                                                   "Output $",
                                                   "Output 4096",
                                                   "Button",
                                                   "Reset"};
  return kCommands;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm;
  fuzzing::Script script(std::string_view(reinterpret_cast<const char*>(data), size));
  devices::Story story;
  int steps = 0;
  while (const std::optional<char> command = script.Next()) {
    if (++steps > devices::kMostSteps) {
      break;
    }
    story.Step(*command, script);
  }
  return 0;
}
