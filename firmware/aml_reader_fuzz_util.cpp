#include "firmware/aml_reader_fuzz_util.h"

#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <map>
#include <string_view>

#include "fuzzing/require.h"

namespace tidevm::firmware {
namespace {

using fuzzing::Require;

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::string TermsUntil(std::size_t end) {
    std::string text;
    while (at_ < end) {
      text += (text.empty() ? "" : ";") + Term();
    }
    Require(at_ == end, "a term reaches to {}, past the end at {}", at_, end);
    return text;
  }

 private:
  std::uint8_t Peek() const {
    Require(at_ < bytes_.size(), "it ends too early");
    return std::to_integer<std::uint8_t>(bytes_[at_]);
  }
  std::uint8_t Byte() {
    const std::uint8_t value = Peek();
    ++at_;
    return value;
  }
  std::uint64_t Number(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= std::uint64_t{Byte()} << (8 * i);
    }
    return value;
  }

  /// 20.2.4: six bits in the first byte; or four, and eight in each of one to three more.
  std::uint64_t Length() {
    const unsigned first = Byte();
    const unsigned more = first >> 6;
    if (more == 0) {
      return first;
    }
    Require((first & 0x30) == 0, "a length that begins with {:#x}", first);
    return (first & 0xf) | (Number(more) << 4);
  }
  /// Where the package that begins here ends.
  std::size_t PackageEnd() {
    const std::size_t start = at_;
    const std::size_t end = start + Length();
    Require(end >= at_ && end <= bytes_.size(), "a package from {} to {}, there are {} bytes",
            start, end, bytes_.size());
    return end;
  }

  std::string Name() {
    std::string text;
    if (Peek() == '\\') {
      ++at_;
      text = "\\";
    }
    unsigned segments = 1;
    if (Peek() == 0x2e) {
      ++at_;
      segments = 2;
    } else if (Peek() == 0x2f) {
      ++at_;
      segments = Byte();
      Require(segments > 2, "a name of {} segments that could be shorter", segments);
    }
    for (unsigned i = 0; i < segments; ++i) {
      text += (i == 0 ? "" : ".") + Segment();
    }
    return text;
  }
  std::string Segment() {
    std::string text;
    for (int i = 0; i < 4; ++i) {
      const char c = static_cast<char>(Byte());
      const bool letter = (c >= 'A' && c <= 'Z') || c == '_';
      Require(letter || (i > 0 && c >= '0' && c <= '9'), "'{}' in a name", c);
      text += c;
    }
    return text;
  }

  std::string Integer(std::size_t size, std::uint64_t least) {
    const std::uint64_t value = Number(size);
    Require(value >= least && value != ~std::uint64_t{0}, "{:#x} in {} bytes", value, size);
    return fmt::format("{:#x}", value);
  }
  std::string String() {
    std::string text = "\"";
    while (const std::uint8_t c = Byte()) {
      text += fmt::format("{:02x}", c);
    }
    return text + "\"";
  }
  std::string Hex(std::size_t end) {
    std::string text;
    while (at_ < end) {
      text += fmt::format("{:02x}", Byte());
    }
    return text;
  }

  std::string Term();
  std::string Extended();
  std::string NameOrCall();
  std::string Block(std::string_view word, bool has_condition);
  std::string Buffer();
  std::string Package();
  std::string Method();
  std::string Field();
  std::string Unary(std::string_view word) { return fmt::format("{}({})", word, Term()); }
  std::string Binary(std::string_view word) {
    const std::string left = Term();
    return fmt::format("{}({},{})", word, left, Term());
  }
  std::string WithoutTarget(std::string text) {
    Require(Byte() == 0, "a target where none was given");
    return text;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::map<std::string, unsigned> methods_;  // how many arguments each takes
};

std::string Reader::Term() {
  const std::uint8_t op = Peek();
  if (op == '\\' || op == '_' || op == 0x2e || op == 0x2f || (op >= 'A' && op <= 'Z')) {
    return NameOrCall();
  }
  ++at_;
  if (op >= 0x60 && op <= 0x67) {
    return fmt::format("Local{}", op - 0x60);
  }
  if (op >= 0x68 && op <= 0x6e) {
    return fmt::format("Arg{}", op - 0x68);
  }
  switch (op) {
    case 0x00:
      return "0x0";
    case 0x01:
      return "0x1";
    case 0xff:
      return "0xffffffffffffffff";
    case 0x08: {
      const std::string name = Name();
      return fmt::format("Name({},{})", name, Term());
    }
    case 0x0a:
      return Integer(1, 2);
    case 0x0b:
      return Integer(2, 0x100);
    case 0x0c:
      return Integer(4, 0x10000);
    case 0x0d:
      return String();
    case 0x0e:
      return Integer(8, 0x100000000);
    case 0x10:
      return Block("Scope", false);
    case 0x11:
      return Buffer();
    case 0x12:
      return Package();
    case 0x14:
      return Method();
    case 0x5b:
      return Extended();
    case 0x70:
      return Binary("Store");
    case 0x72:
      return WithoutTarget(Binary("Add"));
    case 0x75:
      return Unary("Increment");
    case 0x7b:
      return WithoutTarget(Binary("And"));
    case 0x86: {
      const std::string name = Name();
      return fmt::format("Notify({},{})", name, Term());
    }
    case 0x92:
      return Unary("LNot");
    case 0x93:
      return Binary("LEqual");
    case 0x94:
      return Binary("LGreater");
    case 0x95:
      return Binary("LLess");
    case 0xa0:
      return Block("If", true);
    case 0xa1: {  // behind its If, of which it is a part
      const std::size_t end = PackageEnd();
      return fmt::format("Else{{{}}}", TermsUntil(end));
    }
    case 0xa2:
      return Block("While", true);
    case 0xa4:
      return Unary("Return");
    case 0xa5:
      return "Break";
    default:
      fuzzing::Found(fmt::format("opcode {:#x}", op));
  }
}

std::string Reader::Extended() {
  const std::uint8_t op = Byte();
  switch (op) {
    case 0x01: {
      const std::string name = Name();
      return fmt::format("Mutex({},{})", name, Byte());
    }
    case 0x23: {
      const std::string name = Name();
      return fmt::format("Acquire({},{:#x})", name, Number(2));
    }
    case 0x27:
      return fmt::format("Release({})", Name());
    case 0x80: {
      const std::string name = Name();
      const unsigned space = Byte();
      const std::string offset = Term();
      return fmt::format("OperationRegion({},{},{},{})", name, space, offset, Term());
    }
    case 0x81:
      return Field();
    case 0x82:
      return Block("Device", false);
    default:
      fuzzing::Found(fmt::format("opcode 0x5b {:#x}", op));
  }
}

std::string Reader::NameOrCall() {
  std::string text = Name();
  const auto method = methods_.find(text);
  if (method == methods_.end()) {
    return text;
  }
  text += "(";
  for (unsigned i = 0; i < method->second; ++i) {
    text += (i == 0 ? "" : ",") + Term();
  }
  return text + ")";
}

std::string Reader::Block(std::string_view word, bool has_condition) {
  const std::size_t end = PackageEnd();
  const std::string head = has_condition ? Term() : Name();
  return fmt::format("{}({}){{{}}}", word, head, TermsUntil(end));
}

std::string Reader::Buffer() {
  const std::size_t end = PackageEnd();
  const std::string size = Term();
  Require(at_ <= end, "a buffer ends before its content");
  return fmt::format("Buffer({}){{{}}}", size, Hex(end));
}

std::string Reader::Package() {
  const std::size_t end = PackageEnd();
  const unsigned count = Byte();
  std::string text = fmt::format("Package({}){{", count);
  for (unsigned i = 0; i < count; ++i) {
    text += (i == 0 ? "" : ",") + Term();
  }
  Require(at_ == end, "a package's elements end at {}, it ends at {}", at_, end);
  return text + "}";
}

std::string Reader::Method() {
  const std::size_t end = PackageEnd();
  const std::string name = Name();
  const unsigned flags = Byte();
  Require((flags & 0xf0) == 0, "method flags {:#x}", flags);
  methods_[name] = flags & 7;
  return fmt::format("Method({},{},{}){{{}}}", name, flags & 7,
                     (flags & 8) != 0 ? "Serialized" : "NotSerialized", TermsUntil(end));
}

std::string Reader::Field() {
  const std::size_t end = PackageEnd();
  const std::string region = Name();
  std::string text = fmt::format("Field({},{:#x}){{", region, Byte());
  while (at_ < end) {
    if (Peek() == 0) {
      ++at_;
      text += fmt::format("Skip,{};", Length());
    } else {
      const std::string unit = Segment();
      text += fmt::format("{},{};", unit, Length());
    }
  }
  Require(at_ == end, "a field's units end at {}, it ends at {}", at_, end);
  return text + "}";
}

}  // namespace

std::string ReadAml(std::span<const std::byte> bytes) {
  return Reader(bytes).TermsUntil(bytes.size());
}

}  // namespace tidevm::firmware
