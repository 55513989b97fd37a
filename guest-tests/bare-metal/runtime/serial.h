// The guest's words to the test, and the test's to the guest: lines over the serial port. What is
// for the test begins with '@'.
#pragma once

#include <concepts>
#include <cstdint>

#include "guest-tests/bare-metal/runtime/instructions.h"

namespace tidevm::bare_metal {

struct Hex {
  std::uint64_t value;
};

/// One line at a time, from any processor.
class Line {
 public:
  Line();
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void Put(const char* text);
  void Put(std::unsigned_integral auto value) { PutNumber(value, 10); }
  void Put(Hex value) {
    Put("0x");
    PutNumber(value.value, 16);
  }

 private:
  void PutNumber(std::uint64_t value, unsigned base);
};

/// "@", the parts, and the end of the line.
template <typename... Parts>
void Say(Parts... parts) {
  Line line;
  line.Put("@");
  (line.Put(parts), ...);
}

/// Says so, and ends the guest: nothing more comes from this processor.
template <typename... Parts>
[[noreturn]] void Fail(Parts... parts) {
  Say("FAIL ", parts...);
  HaltForEver();
}

/// Ends the guest with FAIL unless both are the same. `what` names it.
template <typename... Parts>
void Expect(std::uint64_t found, std::uint64_t expected, Parts... what) {
  if (found != expected) {
    Fail(what..., ": expected ", Hex{expected}, ", found ", Hex{found});
  }
}

/// The test's next line, without its end; what is longer is cut. Waits for it.
void ReadLine(char* into, std::uint64_t size);
/// Ends the guest with FAIL unless the test's next line is this.
void WaitForWord(const char* word);
/// Whether the test has sent something.
bool HasInput();

bool IsSame(const char* a, const char* b);

/// One byte, when the transmitter is ready for it.
void Transmit(char letter);

}  // namespace tidevm::bare_metal
