// Runs the case that the command line names.
#include <asm/bootparam.h>

#include "guest-tests/bare-metal/runtime/case.h"
#include "guest-tests/bare-metal/runtime/exceptions.h"
#include "guest-tests/bare-metal/runtime/serial.h"

namespace tidevm::bare_metal {
namespace {

/// What follows "case=" up to a blank, or "".
const char* CaseName(const char* command_line) {
  static char name[64];
  constexpr char kKey[] = "case=";
  constexpr unsigned kKeyLength = sizeof kKey - 1;
  for (; *command_line != '\0'; ++command_line) {
    unsigned same = 0;
    while (same < kKeyLength && command_line[same] == kKey[same]) {
      ++same;
    }
    if (same == kKeyLength) {
      command_line += kKeyLength;
      for (unsigned i = 0; i + 1 < sizeof name && *command_line > ' '; ++i) {
        name[i] = *command_line++;
      }
      break;
    }
  }
  return name;
}

}  // namespace

// The linker makes them, around the section.
extern "C" const Case __start_bare_metal_cases[];  // NOLINT(bugprone-reserved-identifier)
extern "C" const Case __stop_bare_metal_cases[];   // NOLINT(bugprone-reserved-identifier)

/// From start.S.
extern "C" [[noreturn]] void BootProcessorMain(const boot_params& parameters) {
  LoadInterruptTable();
  const char* const name =
      CaseName(reinterpret_cast<const char*>(std::uint64_t{parameters.hdr.cmd_line_ptr}));
  for (const Case* at = __start_bare_metal_cases; at != __stop_bare_metal_cases; ++at) {
    if (IsSame(at->name, name)) {
      at->run();
      Say("PASS");
      HaltForEver();
    }
  }
  Fail("this guest has no case \"", name, "\"");
}

}  // namespace tidevm::bare_metal
