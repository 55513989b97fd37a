// ACPI Machine Language as values: each function gives the encoding of the ASL term it is named
// after, and terms nest as they do in ASL. ACPI 6.4, chapter 20. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/aml_path.h"
#include "firmware/bytes.h"

namespace tidevm::firmware::aml {

/// One encoded term: an object, an expression or a statement.
class Term {
 public:
  explicit Term(Bytes encoding) : bytes_(std::move(encoding)) {}

  const Bytes& bytes() const { return bytes_; }

  friend bool operator==(const Term&, const Term&) = default;

 private:
  Bytes bytes_;
};

/// A term list: the body of a scope, a method, a branch.
using Terms = std::vector<Term>;

// Data.
Term Integer(std::uint64_t value);   // in the fewest bytes
Term String(std::string_view text);  // ASCII, no NUL inside
Term EisaId(std::string_view id);    // three capital letters, four upper-case hex digits
Term Buffer(std::span<const std::byte> content);
Term Package(const Terms& elements);  // at most 255

// Things to read from and store to.
Term Ref(const Path& path);
Term Arg(unsigned index);    // 0 to 6
Term Local(unsigned index);  // 0 to 7

// Named objects.
enum class Sync { kNotSerialized, kSerialized };
Term Name(const Path& path, const Term& value);
Term Scope(const Path& path, const Terms& body);
Term Device(const Path& path, const Terms& body);
Term Method(const Path& path, unsigned arg_count, Sync sync, const Terms& body);
Term Mutex(const Path& path);

enum class Space : std::uint8_t { kSystemMemory = 0, kSystemIo = 1 };
Term OperationRegion(const Path& path, Space space, std::uint64_t offset, std::uint64_t length);

enum class Access : std::uint8_t { kAny = 0, kByte = 1, kWord = 2, kDword = 3, kQword = 4 };
enum class Update : std::uint8_t { kPreserve = 0, kWriteAsOnes = 1, kWriteAsZeros = 2 };

/// A piece of a Field: a named run of bits, or bits to skip.
class FieldUnit {
 public:
  /// `name` is a single segment.
  static FieldUnit Named(const Path& name, std::uint32_t bits);
  static FieldUnit Skip(std::uint32_t bits);

  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};
/// Lock rule NoLock: a mutex of our own guards more than one access.
Term Field(const Path& region, Access access, Update update, const std::vector<FieldUnit>& units);

// Statements.
Term Return(const Term& value);
Term If(const Term& condition, const Terms& then);
Term IfElse(const Term& condition, const Terms& then, const Terms& otherwise);
Term While(const Term& condition, const Terms& body);
Term Break();
Term Store(const Term& value, const Term& target);
Term Increment(const Term& target);
Term Acquire(const Path& mutex);  // waits for ever
Term Release(const Path& mutex);
Term Notify(const Path& object, const Term& value);
Term Call(const Path& method, const Terms& args = {});

// Expressions. The result is not stored anywhere else.
Term Add(const Term& left, const Term& right);
Term And(const Term& left, const Term& right);
Term LEqual(const Term& left, const Term& right);
Term LGreater(const Term& left, const Term& right);
Term LLess(const Term& left, const Term& right);
Term LNot(const Term& operand);

/// PkgLength of a package whose content, without the PkgLength itself, has `content_size` bytes.
/// ACPI 6.4, 20.2.4. `content_size` is below 2^28 - 4.
Bytes PkgLength(std::size_t content_size);

}  // namespace tidevm::firmware::aml
