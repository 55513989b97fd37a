// For the fuzz target: terms of firmware/aml.h, drawn from bytes, that a compiler has nothing to
// say against.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "firmware/bytes.h"

namespace tidevm::firmware {

/// A term list, and the same as text, as ReadAml() has it.
struct Written {
  Bytes bytes;
  std::string text;
};

/// Every name is declared once, before it is used, and used where it is seen; locals are stored to
/// before they are read; calls have their arguments. Any `choices` will do.
Written WriteAml(std::span<const std::uint8_t> choices);

}  // namespace tidevm::firmware
