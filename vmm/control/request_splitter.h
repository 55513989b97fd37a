// Cuts the bytes that a QMP client sends into whole JSON values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidevm::control {

/// A request longer than this, from its first to its last byte, ends the connection.
inline constexpr std::size_t kMaxRequestBytes = 64 * std::size_t{1024};
/// So does one nested deeper than this; the request object itself is level 1.
inline constexpr int kMaxRequestDepth = 32;

/// What QEMU accepts is a stream of JSON values, and so does this: objects one a line, several on
/// a line, one over several lines, with any white space between them. Only brackets, strings and
/// bytes that cannot occur are looked at here; whether the value makes sense is the parser's
/// matter.
///
/// Back in step after a mistake, also as with QEMU:
///  - a value that begins with something other than { or [ reaches to the end of its line;
///  - a control character other than tab, CR and LF, a raw line break inside a string, and a byte
///    that UTF-8 never has, drop what was begun, and the next value starts after it.
/// A bracket that is never closed swallows what follows, until one of those or a limit.
///
/// Single thread.
class RequestSplitter {
 public:
  enum class Kind {
    kValue,     // `text` is one JSON value, or a line of junk for the parser to refuse
    kGarbage,   // `text` says what was wrong; the stream is in step again
    kOverflow,  // `text` names the limit; the connection must end
  };
  struct Item {
    Kind kind = Kind::kValue;
    std::string text;
  };

  void Feed(std::string_view bytes);

  /// The next item, if one is complete. After kOverflow there is none ever again.
  std::optional<Item> Next();

 private:
  enum class Where { kBetween, kStructure, kString, kEscape, kJunkLine };

  std::optional<Item> Step(unsigned char byte);
  Item Garbage(std::string text);
  Item Overflow(std::string text);
  Item Complete();

  std::string input_;     // fed, not yet looked at from next_ on
  std::size_t next_ = 0;  // into input_
  std::string value_;     // the value under construction
  Where where_ = Where::kBetween;
  int depth_ = 0;
  bool overflowed_ = false;
};

}  // namespace tidevm::control
