#include "firmware/aml.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/aml_path.h"
#include "firmware/bytes.h"

namespace tidevm::firmware::aml {
namespace {

// ACPI 6.4, 20.3.
enum class Op : std::uint8_t {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kBytePrefix = 0x0a,
  kWordPrefix = 0x0b,
  kDwordPrefix = 0x0c,
  kStringPrefix = 0x0d,
  kQwordPrefix = 0x0e,
  kScope = 0x10,
  kBuffer = 0x11,
  kPackage = 0x12,
  kMethod = 0x14,
  kLocal0 = 0x60,
  kArg0 = 0x68,
  kStore = 0x70,
  kAdd = 0x72,
  kIncrement = 0x75,
  kAnd = 0x7b,
  kNotify = 0x86,
  kLNot = 0x92,
  kLEqual = 0x93,
  kLGreater = 0x94,
  kLLess = 0x95,
  kIf = 0xa0,
  kElse = 0xa1,
  kWhile = 0xa2,
  kReturn = 0xa4,
  kBreak = 0xa5,
  kOnes = 0xff,
};

// The second byte, after the extension prefix.
enum class ExtOp : std::uint8_t {
  kMutex = 0x01,
  kAcquire = 0x23,
  kRelease = 0x27,
  kOperationRegion = 0x80,
  kField = 0x81,
  kDevice = 0x82,
};

void Append(Bytes& out, Op op) { firmware::Append(out, static_cast<std::uint8_t>(op)); }

void Append(Bytes& out, ExtOp op) {
  constexpr std::uint8_t kExtOpPrefix = 0x5b;
  firmware::Append(out, kExtOpPrefix);
  firmware::Append(out, static_cast<std::uint8_t>(op));
}

using firmware::Append;

void Append(Bytes& out, const Term& term) { Append(out, term.bytes()); }
void Append(Bytes& out, const Path& path) { path.AppendTo(out); }

void Append(Bytes& out, const Terms& terms) {
  for (const Term& term : terms) {
    Append(out, term);
  }
}

/// The parts one after the other.
template <typename... Parts>
Bytes Join(const Parts&... parts) {
  Bytes out;
  (Append(out, parts), ...);
  return out;
}

/// An opcode with a PkgLength behind it, then the content that this counts.
template <typename Opcode, typename... Parts>
Term Packaged(Opcode op, const Parts&... parts) {
  const Bytes content = Join(parts...);
  return Term(Join(op, PkgLength(content.size()), content));
}

/// The encoding of `length` itself; PkgLength() adds its own size first.
Bytes EncodeLength(std::size_t length, std::size_t size) {
  Bytes out;
  if (size == 1) {
    Append(out, static_cast<std::uint8_t>(length));
    return out;
  }
  Append(out, static_cast<std::uint8_t>(((size - 1) << 6) | (length & 0xf)));
  for (std::size_t rest = length >> 4, i = 1; i < size; ++i, rest >>= 8) {
    Append(out, static_cast<std::uint8_t>(rest & 0xff));
  }
  return out;
}

/// Bytes that it takes to hold `length` in a PkgLength: 6, 12, 20 or 28 bits of it.
std::size_t LengthSize(std::size_t length) {
  if (length < (1U << 6)) {
    return 1;
  }
  if (length < (1U << 12)) {
    return 2;
  }
  return length < (1U << 20) ? 3 : 4;
}

constexpr std::uint8_t kNullTarget = 0;

}  // namespace

Bytes PkgLength(std::size_t content_size) {
  std::size_t size = 1;
  while (LengthSize(content_size + size) > size) {
    ++size;
  }
  return EncodeLength(content_size + size, size);
}

Term Integer(std::uint64_t value) {
  if (value == 0) {
    return Term(Join(Op::kZero));
  }
  if (value == 1) {
    return Term(Join(Op::kOne));
  }
  if (value == std::numeric_limits<std::uint64_t>::max()) {
    return Term(Join(Op::kOnes));
  }
  if (std::in_range<std::uint8_t>(value)) {
    return Term(Join(Op::kBytePrefix, static_cast<std::uint8_t>(value)));
  }
  if (std::in_range<std::uint16_t>(value)) {
    return Term(Join(Op::kWordPrefix, static_cast<std::uint16_t>(value)));
  }
  if (std::in_range<std::uint32_t>(value)) {
    return Term(Join(Op::kDwordPrefix, static_cast<std::uint32_t>(value)));
  }
  return Term(Join(Op::kQwordPrefix, value));
}

Term String(std::string_view text) {
  Bytes out = Join(Op::kStringPrefix);
  AppendText(out, text);
  Append(out, std::uint8_t{0});
  return Term(std::move(out));
}

Term EisaId(std::string_view id) {
  // Three letters of five bits, then four digits, the most significant byte first.
  std::uint32_t value = 0;
  for (const char c : id.substr(0, 3)) {
    value = (value << 5) | (static_cast<std::uint32_t>(c - 'A' + 1) & 0x1f);
  }
  for (const char c : id.substr(3, 4)) {
    value = (value << 4) | static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
  }
  Bytes out = Join(Op::kDwordPrefix);
  for (int shift = 24; shift >= 0; shift -= 8) {
    Append(out, static_cast<std::uint8_t>(value >> shift));
  }
  return Term(std::move(out));
}

Term Buffer(std::span<const std::byte> content) {
  return Packaged(Op::kBuffer, Integer(content.size()), content);
}

Term Package(const Terms& elements) {
  return Packaged(Op::kPackage, static_cast<std::uint8_t>(elements.size()), elements);
}

Term Ref(const Path& path) { return Term(Join(path)); }

Term Arg(unsigned index) {
  return Term(Join(static_cast<std::uint8_t>(static_cast<unsigned>(Op::kArg0) + index)));
}

Term Local(unsigned index) {
  return Term(Join(static_cast<std::uint8_t>(static_cast<unsigned>(Op::kLocal0) + index)));
}

Term Name(const Path& path, const Term& value) { return Term(Join(Op::kName, path, value)); }

Term Scope(const Path& path, const Terms& body) { return Packaged(Op::kScope, path, body); }

Term Device(const Path& path, const Terms& body) { return Packaged(ExtOp::kDevice, path, body); }

Term Method(const Path& path, unsigned arg_count, Sync sync, const Terms& body) {
  constexpr unsigned kSerializedBit = 1U << 3;
  const unsigned flags = arg_count | (sync == Sync::kSerialized ? kSerializedBit : 0U);
  return Packaged(Op::kMethod, path, static_cast<std::uint8_t>(flags), body);
}

Term Mutex(const Path& path) {
  constexpr std::uint8_t kSyncLevel = 0;
  return Term(Join(ExtOp::kMutex, path, kSyncLevel));
}

Term OperationRegion(const Path& path, Space space, std::uint64_t offset, std::uint64_t length) {
  return Term(Join(ExtOp::kOperationRegion, path, static_cast<std::uint8_t>(space), Integer(offset),
                   Integer(length)));
}

FieldUnit FieldUnit::Named(const Path& name, std::uint32_t bits) {
  FieldUnit unit;
  unit.bytes_ = Join(name, EncodeLength(bits, LengthSize(bits)));
  return unit;
}

FieldUnit FieldUnit::Skip(std::uint32_t bits) {
  constexpr std::uint8_t kReservedField = 0;
  FieldUnit unit;
  unit.bytes_ = Join(kReservedField, EncodeLength(bits, LengthSize(bits)));
  return unit;
}

Term Field(const Path& region, Access access, Update update, const std::vector<FieldUnit>& units) {
  const unsigned flags = static_cast<unsigned>(access) | (static_cast<unsigned>(update) << 5);
  Bytes list;
  for (const FieldUnit& unit : units) {
    Append(list, unit.bytes());
  }
  return Packaged(ExtOp::kField, region, static_cast<std::uint8_t>(flags), list);
}

Term Return(const Term& value) { return Term(Join(Op::kReturn, value)); }

Term If(const Term& condition, const Terms& then) { return Packaged(Op::kIf, condition, then); }

Term IfElse(const Term& condition, const Terms& then, const Terms& otherwise) {
  return Term(Join(If(condition, then), Packaged(Op::kElse, otherwise)));
}

Term While(const Term& condition, const Terms& body) {
  return Packaged(Op::kWhile, condition, body);
}

Term Break() { return Term(Join(Op::kBreak)); }

Term Store(const Term& value, const Term& target) { return Term(Join(Op::kStore, value, target)); }

Term Increment(const Term& target) { return Term(Join(Op::kIncrement, target)); }

Term Acquire(const Path& mutex) {
  constexpr std::uint16_t kForEver = 0xffff;
  return Term(Join(ExtOp::kAcquire, mutex, kForEver));
}

Term Release(const Path& mutex) { return Term(Join(ExtOp::kRelease, mutex)); }

Term Notify(const Path& object, const Term& value) {
  return Term(Join(Op::kNotify, object, value));
}

Term Call(const Path& method, const Terms& args) { return Term(Join(method, args)); }

Term Add(const Term& left, const Term& right) {
  return Term(Join(Op::kAdd, left, right, kNullTarget));
}

Term And(const Term& left, const Term& right) {
  return Term(Join(Op::kAnd, left, right, kNullTarget));
}

Term LEqual(const Term& left, const Term& right) { return Term(Join(Op::kLEqual, left, right)); }

Term LGreater(const Term& left, const Term& right) {
  return Term(Join(Op::kLGreater, left, right));
}

Term LLess(const Term& left, const Term& right) { return Term(Join(Op::kLLess, left, right)); }

Term LNot(const Term& operand) { return Term(Join(Op::kLNot, operand)); }

}  // namespace tidevm::firmware::aml
