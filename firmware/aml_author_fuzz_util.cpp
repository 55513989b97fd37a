#include "firmware/aml_author_fuzz_util.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/aml.h"
#include "firmware/aml_resources.h"

namespace tidevm::firmware {
namespace {

using namespace aml;  // NOLINT(google-build-using-namespace): most of its names

constexpr int kDeepest = 6;
constexpr int kMostTerms = 300;

/// A term, and the same as text.
struct Part {
  Term term;
  std::string text;
};

struct Parts {
  Terms terms;
  std::string text;

  void Add(const Part& part, std::string_view separator = ";") {
    text += (text.empty() ? "" : std::string(separator)) + part.text;
    terms.push_back(part.term);
  }
};

/// Something that was declared.
struct Known {
  Path path;
  std::string text;
  unsigned args = 0;      // of a method
  std::size_t scope = 0;  // of a device: which one declares it
};

/// Of a length of 2^6 - 1, 2^12 - 1 or 2^20 - 1 bits iasl thinks that it does not fit into 6, 12 or
/// 20 of them, and takes a byte more. Both are right.
std::uint32_t FieldBits(std::uint32_t bits) {
  return bits == 0x3f || bits == 0xfff || bits == 0xfffff ? bits - 1 : bits;
}

/// What one scope declares.
struct Declared {
  std::vector<Known> devices;
  std::vector<Known> methods;
  std::vector<Known> mutexes;
  std::vector<Known> numbers;  // names of integers, field units
};

/// The method that is being written.
struct Frame {
  unsigned args = 0;
  unsigned stored_locals = 0;  // a bit each
  bool in_loop = false;
};

class Author {
 public:
  explicit Author(std::span<const std::uint8_t> choices) : choices_(choices) {}

  Parts Table();

 private:
  // Choices: 0 when there are no more.
  std::uint8_t Byte() {
    if (choices_.empty()) {
      return 0;
    }
    const std::uint8_t value = choices_.front();
    choices_ = choices_.subspan(1);
    return value;
  }
  unsigned Below(unsigned limit) { return Byte() % limit; }
  bool Spend() { return terms_++ < kMostTerms; }
  const Known* Pick(std::vector<Known> Declared::*kind);

  Known NewName() {
    const auto letter = static_cast<char>('A' + Below(26));
    const std::uint32_t number = names_++;
    return {.path = Path::Numbered(letter, number),
            .text = fmt::format("{}{:03X}", letter, number)};
  }

  Parts Body(int depth, bool of_device);
  Part Object(int depth, bool& has_id);
  Part MakeDevice(const Known& name, int depth);
  Part MakeScope(const Known& name, int depth);
  Part MakeMethod(int depth);
  Part MakeName();
  Part MakeId();
  Part MakeFields(Parts& body);

  Part Data(int depth);
  Part Number();
  Part MakeString();
  Part MakeBuffer();
  Part MakePackage(int depth);
  Part MakeResources();

  Parts Statements(int depth, Frame& frame);
  Part Statement(int depth, Frame& frame);
  Part MakeStore(int depth, Frame& frame);
  Part StoredValue(int depth, const Frame& frame);
  Part MakeIf(int depth, Frame& frame);
  Part MakeWhile(int depth, Frame& frame);
  Part MakeCall(const Known& method, int depth, const Frame& frame);
  Part Expression(int depth, const Frame& frame);
  Part Operand(const Frame& frame);

  std::span<const std::uint8_t> choices_;
  std::vector<Declared> scopes_{1};  // the innermost last
  std::uint32_t names_ = 0;
  int terms_ = 0;
};

/// Any of its kind that is seen from here; null where there is none.
const Known* Author::Pick(std::vector<Known> Declared::*kind) {
  std::vector<const Known*> seen;
  for (const Declared& scope : scopes_) {
    for (const Known& known : scope.*kind) {
      seen.push_back(&known);
    }
  }
  return seen.empty() ? nullptr : seen[Below(static_cast<unsigned>(seen.size()))];
}

Parts Author::Table() {
  // Names of one to four segments, seen from everywhere.
  const std::array<Known, 4> deep = {{{"\\DEEP", "\\DEEP"},
                                      {"\\DEEP.A", "\\DEEP.A___"},
                                      {"\\DEEP.A.B", "\\DEEP.A___.B___"},
                                      {"\\DEEP.A.B.C_9", "\\DEEP.A___.B___.C_9_"}}};
  Parts table;
  for (std::size_t i = 0, count = Below(deep.size() + 1); i < count; ++i) {
    table.Add(MakeDevice(deep.at(i), 1));
    scopes_.front().devices.push_back(deep.at(i));
  }
  const Known system_bus{.path = "\\_SB", .text = "\\_SB_"};
  while (!choices_.empty() && terms_ < kMostTerms) {
    table.Add(MakeScope(system_bus, 1));
  }
  return table;
}

Parts Author::Body(int depth, bool of_device) {
  Parts body;
  bool has_id = !of_device;  // a device has one, and may have several scopes
  for (unsigned count = Below(5); count > 0 && Spend(); --count) {
    if (Below(4) == 0) {
      body.Add(MakeFields(body));
    } else {
      body.Add(Object(depth, has_id));
    }
  }
  return body;
}

Part Author::Object(int depth, bool& has_id) {
  switch (Below(8)) {
    case 0:
    case 1: {
      Known name = NewName();
      name.scope = scopes_.size() - 1;
      Part device = MakeDevice(name, depth);
      scopes_.back().devices.push_back(name);
      return device;
    }
    case 2:
      if (const Known* device = Pick(&Declared::devices)) {
        return MakeScope(Known(*device), depth);
      }
      return MakeName();
    case 3:
    case 4:
      return MakeMethod(depth);
    case 5: {
      const Known name = NewName();
      scopes_.back().mutexes.push_back(name);
      return {Mutex(name.path), fmt::format("Mutex({},0)", name.text)};
    }
    case 6:
      if (!std::exchange(has_id, true)) {
        return MakeId();
      }
      return MakeName();
    default:
      return MakeName();
  }
}

Part Author::MakeDevice(const Known& name, int depth) {
  scopes_.emplace_back();
  const Parts body = depth < kDeepest ? Body(depth + 1, true) : Parts();
  scopes_.pop_back();
  return {Device(name.path, body.terms), fmt::format("Device({}){{{}}}", name.text, body.text)};
}

/// From inside of it is seen what its device sees, and not what is around the Scope.
Part Author::MakeScope(const Known& name, int depth) {
  const std::vector<Declared> around = scopes_;
  scopes_.resize(name.scope + 1);
  scopes_.emplace_back();
  const Parts body = depth < kDeepest ? Body(depth + 1, false) : Parts();
  scopes_ = around;
  return {Scope(name.path, body.terms), fmt::format("Scope({}){{{}}}", name.text, body.text)};
}

Part Author::MakeMethod(int depth) {
  Known name = NewName();
  name.args = Below(8);
  const bool serialized = Below(2) == 0;
  Frame frame{.args = name.args};
  const Parts body = Statements(depth, frame);
  scopes_.back().methods.push_back(name);  // none calls itself
  return {Method(name.path, name.args, serialized ? Sync::kSerialized : Sync::kNotSerialized,
                 body.terms),
          fmt::format("Method({},{},{}){{{}}}", name.text, name.args,
                      serialized ? "Serialized" : "NotSerialized", body.text)};
}

Part Author::MakeName() {
  const Known name = NewName();
  const bool is_number = Below(2) == 0;
  const Part value = is_number ? Number() : Data(0);
  if (is_number) {
    scopes_.back().numbers.push_back(name);
  }
  return {Name(name.path, value.term), fmt::format("Name({},{})", name.text, value.text)};
}

/// A name that ACPI gives a meaning to, and iasl a form: three letters, four digits.
Part Author::MakeId() {
  std::string id;
  std::uint32_t letters = 0;
  for (int i = 0; i < 3; ++i) {
    const unsigned letter = Below(26);
    id += static_cast<char>('A' + letter);
    letters = letters << 5 | (letter + 1);
  }
  const std::uint32_t digits = Byte() << 8 | Byte() | 1U;  // never 00 in the end
  id += fmt::format("{:04X}", digits);
  const std::uint32_t value = __builtin_bswap32(letters << 16 | digits);
  return {Name("_HID", EisaId(id)), fmt::format("Name(_HID,{:#x})", value)};
}

/// A region goes into `body`, its fields are what is returned.
Part Author::MakeFields(Parts& body) {
  const Known region = NewName();
  const auto access = static_cast<Access>(Below(5));
  const auto update = static_cast<Update>(Below(3));
  std::vector<FieldUnit> units;
  std::string text;
  std::uint64_t total = 0;
  for (unsigned count = 1 + Below(6); count > 0; --count) {
    const bool skip = Below(3) == 0;
    const std::uint32_t bits = FieldBits(1 + (skip ? Byte() * (1U + Byte()) : Byte() % 64U));
    total += bits;
    if (skip) {
      units.push_back(FieldUnit::Skip(bits));
      text += fmt::format("Skip,{};", bits);
    } else {
      const Known unit = NewName();
      scopes_.back().numbers.push_back(unit);
      units.push_back(FieldUnit::Named(unit.path, bits));
      text += fmt::format("{},{};", unit.text, bits);
    }
  }
  const bool io = Below(2) == 0;
  const std::uint64_t offset = Byte() * 0x101ULL;
  const std::uint64_t length = total / 8 + 16;  // whatever the access width
  body.Add(
      {OperationRegion(region.path, io ? Space::kSystemIo : Space::kSystemMemory, offset, length),
       fmt::format("OperationRegion({},{},{:#x},{:#x})", region.text, io ? 1 : 0, offset, length)});
  const unsigned flags = static_cast<unsigned>(access) | static_cast<unsigned>(update) << 5;
  return {Field(region.path, access, update, units),
          fmt::format("Field({},{:#x}){{{}}}", region.text, flags, text)};
}

Part Author::Data(int depth) {
  switch (Below(5)) {
    case 0:
      return MakeString();
    case 1:
      return MakeBuffer();
    case 2:
      return depth < kDeepest ? MakePackage(depth) : Number();
    case 3:
      return MakeResources();
    default:
      return Number();
  }
}

Part Author::Number() {
  std::uint64_t value = 0;
  switch (const unsigned size = Below(11)) {
    case 9:
      value = 1;
      break;
    case 10:
      value = ~std::uint64_t{0};
      break;
    default:
      for (unsigned i = 0; i < size; ++i) {
        value = value << 8 | Byte();
      }
  }
  return {Integer(value), fmt::format("{:#x}", value)};
}

Part Author::MakeString() {
  std::string content;
  std::string text;
  for (unsigned count = Below(64); count > 0; --count) {
    const auto c = static_cast<char>(1 + Below(127));
    content += c;
    text += fmt::format("{:02x}", c);
  }
  return {String(content), fmt::format("\"{}\"", text)};
}

/// Of any size up to some thousands, to have lengths of each size around it.
Part Author::MakeBuffer() {
  const unsigned size = Byte() * (Below(2) == 0 ? 1 : 17);
  const std::uint8_t first = Byte();
  const std::uint8_t step = Byte();
  Bytes content;
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    const auto value = static_cast<std::uint8_t>(first + i * step);
    content.push_back(std::byte{value});
    text += fmt::format("{:02x}", value);
  }
  return {Buffer(content), fmt::format("Buffer({:#x}){{{}}}", size, text)};
}

Part Author::MakePackage(int depth) {
  Parts elements;
  for (unsigned count = Below(Below(8) == 0 ? 256 : 6); count > 0 && Spend(); --count) {
    elements.Add(Data(depth + 1), ",");
  }
  return {Package(elements.terms),
          fmt::format("Package({}){{{}}}", elements.terms.size(), elements.text)};
}

Part Author::MakeResources() {
  std::vector<Resource> resources;
  std::string text;
  for (unsigned count = Below(5); count > 0; --count) {
    if (Below(2) == 0) {
      const unsigned low = Byte();
      const unsigned high = Byte() % 0xff;
      const unsigned ports = 1 + Below(255);
      resources.push_back(
          Io(static_cast<std::uint16_t>(high << 8 | low), static_cast<std::uint8_t>(ports)));
      text += fmt::format("4701{0:02x}{1:02x}{0:02x}{1:02x}01{2:02x}", low, high, ports);
    } else {
      const bool edge = Below(2) == 0;
      const unsigned gsi = Byte();
      resources.push_back(Interrupt(edge ? Trigger::kEdge : Trigger::kLevel, gsi));
      text += fmt::format("890600{:02x}01{:02x}000000", edge ? 3 : 1, gsi);
    }
  }
  text += "7900";
  return {ResourceTemplate(resources), fmt::format("Buffer({:#x}){{{}}}", text.size() / 2, text)};
}

Parts Author::Statements(int depth, Frame& frame) {
  Parts list;
  if (depth >= kDeepest) {
    return list;
  }
  for (unsigned count = Below(6); count > 0 && Spend(); --count) {
    list.Add(Statement(depth + 1, frame));
  }
  switch (Below(4)) {
    case 0: {
      const Part value = Expression(depth, frame);
      list.Add({Return(value.term), fmt::format("Return({})", value.text)});
      break;
    }
    case 1:
      if (frame.in_loop) {
        list.Add({Break(), "Break"});
      }
      break;
    default:
      break;
  }
  return list;
}

Part Author::Statement(int depth, Frame& frame) {
  const unsigned kind = Below(9);
  if (kind == 0) {
    return MakeIf(depth, frame);
  }
  if (kind == 1) {
    return MakeWhile(depth, frame);
  }
  if (kind == 2 && frame.stored_locals != 0) {
    const auto local = static_cast<unsigned>(__builtin_ctz(frame.stored_locals));
    return {Increment(Local(local)), fmt::format("Increment(Local{})", local)};
  }
  if (const Known* mutex = kind == 3 || kind == 4 ? Pick(&Declared::mutexes) : nullptr) {
    return kind == 3 ? Part{Acquire(mutex->path), fmt::format("Acquire({},0xffff)", mutex->text)}
                     : Part{Release(mutex->path), fmt::format("Release({})", mutex->text)};
  }
  if (const Known* device = kind == 5 ? Pick(&Declared::devices) : nullptr) {
    const Part value = Expression(depth, frame);
    return {Notify(device->path, value.term),
            fmt::format("Notify({},{})", device->text, value.text)};
  }
  if (const Known* method = kind == 6 ? Pick(&Declared::methods) : nullptr) {
    return MakeCall(*method, depth, frame);
  }
  return MakeStore(depth, frame);
}

/// iasl shows the store of a sum as "a = b + c", and takes that for a sum with a target.
Part Author::StoredValue(int depth, const Frame& frame) {
  Part value = Expression(depth, frame);
  if (!value.text.starts_with("Add(") && !value.text.starts_with("And(")) {
    return value;
  }
  return {LNot(value.term), fmt::format("LNot({})", value.text)};
}

Part Author::MakeStore(int depth, Frame& frame) {
  const Part value = StoredValue(depth, frame);
  const Known* const number = Below(3) == 0 ? Pick(&Declared::numbers) : nullptr;
  if (number != nullptr) {
    return {Store(value.term, Ref(number->path)),
            fmt::format("Store({},{})", value.text, number->text)};
  }
  if (frame.args > 0 && Below(4) == 0) {
    const unsigned arg = Below(frame.args);
    return {Store(value.term, Arg(arg)), fmt::format("Store({},Arg{})", value.text, arg)};
  }
  const unsigned local = Below(8);
  frame.stored_locals |= 1U << local;
  return {Store(value.term, Local(local)), fmt::format("Store({},Local{})", value.text, local)};
}

Part Author::MakeIf(int depth, Frame& frame) {
  const Part condition = Expression(depth, frame);
  const Parts then = Statements(depth, frame);
  std::string text = fmt::format("If({}){{{}}}", condition.text, then.text);
  if (Below(2) == 0) {
    return {If(condition.term, then.terms), text};
  }
  const Parts otherwise = Statements(depth, frame);
  text += fmt::format(";Else{{{}}}", otherwise.text);
  return {IfElse(condition.term, then.terms, otherwise.terms), text};
}

Part Author::MakeWhile(int depth, Frame& frame) {
  const Part condition = Expression(depth, frame);
  const bool outer = std::exchange(frame.in_loop, true);
  const Parts body = Statements(depth, frame);
  frame.in_loop = outer;
  return {While(condition.term, body.terms),
          fmt::format("While({}){{{}}}", condition.text, body.text)};
}

Part Author::MakeCall(const Known& method, int depth, const Frame& frame) {
  Parts args;
  for (unsigned i = 0; i < method.args; ++i) {
    args.Add(Expression(depth + 1, frame), ",");
  }
  return {Call(method.path, args.terms), fmt::format("{}({})", method.text, args.text)};
}

Part Author::Expression(int depth, const Frame& frame) {
  const unsigned kind = Below(12);
  if (depth >= kDeepest || kind >= 6) {
    return Operand(frame);
  }
  const Part left = Expression(depth + 1, frame);
  if (kind == 5) {
    return {LNot(left.term), fmt::format("LNot({})", left.text)};
  }
  using Binary = Term (*)(const Term&, const Term&);
  constexpr std::array<std::pair<Binary, std::string_view>, 5> kBinary = {
      {{Add, "Add"}, {And, "And"}, {LEqual, "LEqual"}, {LGreater, "LGreater"}, {LLess, "LLess"}}};
  const auto& [make, name] = kBinary.at(kind);
  const Part right = Expression(depth + 1, frame);
  return {make(left.term, right.term), fmt::format("{}({},{})", name, left.text, right.text)};
}

Part Author::Operand(const Frame& frame) {
  const unsigned kind = Below(4);
  if (kind == 0 && frame.stored_locals != 0) {
    unsigned local = Below(8);
    while ((frame.stored_locals >> local & 1) == 0) {
      local = (local + 1) % 8;
    }
    return {Local(local), fmt::format("Local{}", local)};
  }
  if (kind == 1 && frame.args > 0) {
    const unsigned arg = Below(frame.args);
    return {Arg(arg), fmt::format("Arg{}", arg)};
  }
  if (const Known* number = kind == 2 ? Pick(&Declared::numbers) : nullptr) {
    return {Ref(number->path), number->text};
  }
  return Number();
}

}  // namespace

Written WriteAml(std::span<const std::uint8_t> choices) {
  const Parts table = Author(choices).Table();
  Written written{.bytes = {}, .text = table.text};
  for (const Term& term : table.terms) {
    Append(written.bytes, term.bytes());
  }
  return written;
}

}  // namespace tidevm::firmware
