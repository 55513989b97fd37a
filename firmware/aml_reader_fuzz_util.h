// For the fuzz target: reads AML, the part of it that firmware/aml.h writes. ACPI 6.4, 20.2.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tidevm::firmware {

/// The terms as text: "Name(N001,0x5)". Aborts (fuzzing::Require) on what is no AML of that part: a
/// package that does not end where its content does, an integer in more bytes than it needs, a call
/// of a method that was not declared before.
std::string ReadAml(std::span<const std::byte> bytes);

}  // namespace tidevm::firmware
