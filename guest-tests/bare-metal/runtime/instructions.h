// Single instructions of the processor, as functions.
#pragma once

#include <cstdint>

namespace tidevm::bare_metal {

template <typename Value>
Value In(std::uint16_t port) {
  static_assert(sizeof(Value) == 1 || sizeof(Value) == 2 || sizeof(Value) == 4);
  Value value = 0;
  if constexpr (sizeof(Value) == 1) {
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  } else if constexpr (sizeof(Value) == 2) {
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  } else {
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  }
  return value;
}

template <typename Value>
void Out(std::uint16_t port, Value value) {
  static_assert(sizeof(Value) == 1 || sizeof(Value) == 2 || sizeof(Value) == 4);
  if constexpr (sizeof(Value) == 1) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
  } else if constexpr (sizeof(Value) == 2) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
  } else {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
  }
}

inline void Out8(std::uint16_t port, std::uint8_t value) { Out(port, value); }
inline std::uint8_t In8(std::uint16_t port) { return In<std::uint8_t>(port); }

/// Memory of devices: one access of exactly this width.
template <typename Value>
Value ReadMemory(std::uint64_t address) {
  return *reinterpret_cast<const volatile Value*>(address);
}
template <typename Value>
void WriteMemory(std::uint64_t address, Value value) {
  *reinterpret_cast<volatile Value*>(address) = value;
}

/// For MSRs that are surely there; exceptions.h has ways to find out.
inline std::uint64_t ReadMsr(std::uint32_t msr) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (std::uint64_t{high} << 32) | low;
}
inline void WriteMsr(std::uint32_t msr, std::uint64_t value) {
  asm volatile("wrmsr"
               :
               : "c"(msr), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}

struct CpuidAnswer {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
};
inline CpuidAnswer Cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  CpuidAnswer answer;
  asm volatile("cpuid"
               : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
               : "a"(leaf), "c"(subleaf));
  return answer;
}

inline void Pause() { asm volatile("pause" : : : "memory"); }

/// Interrupts are off everywhere in these guests, so this ends with the VM, or with the vCPU.
[[noreturn]] inline void HaltForEver() {
  while (true) {
    asm volatile("cli; hlt" : : : "memory");
  }
}

}  // namespace tidevm::bare_metal
