#include "guest-tests/bare-metal/runtime/serial.h"

#include <atomic>

#include "guest-tests/bare-metal/runtime/uart.h"

namespace tidevm::bare_metal {
namespace {

constinit std::atomic<bool> line_taken = false;

}  // namespace

Line::Line() {
  while (line_taken.exchange(true)) {
    Pause();
  }
}

Line::~Line() {
  Transmit('\n');
  line_taken.store(false);
}

void Line::Put(const char* text) {
  for (; *text != '\0'; ++text) {
    Transmit(*text);
  }
}

void Line::PutNumber(std::uint64_t value, unsigned base) {
  char digits[20];
  unsigned count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (count > 0) {
    Transmit(digits[--count]);
  }
}

void Transmit(char letter) {
  while ((In8(uart::kLineStatus) & uart::kTransmitterReady) == 0) {
    Pause();
  }
  Out8(uart::kData, static_cast<std::uint8_t>(letter));
}

bool HasInput() { return (In8(uart::kLineStatus) & uart::kDataReady) != 0; }

void ReadLine(char* into, std::uint64_t size) {
  std::uint64_t length = 0;
  while (true) {
    while (!HasInput()) {
      Pause();
    }
    const auto letter = static_cast<char>(In8(uart::kData));
    if (letter == '\n') {
      into[length] = '\0';
      return;
    }
    if (length + 1 < size) {
      into[length++] = letter;
    }
  }
}

void WaitForWord(const char* word) {
  char line[64];
  ReadLine(line, sizeof line);
  if (!IsSame(line, word)) {
    Fail("expected the word \"", word, "\", found \"", static_cast<const char*>(line), "\"");
  }
}

bool IsSame(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

}  // namespace tidevm::bare_metal
