#include "vmm/control/request_splitter.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

namespace tidevm::control {
namespace {

bool IsSpace(unsigned char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

// Bytes that no valid input holds anywhere: control characters that JSON allows neither between
// tokens nor in strings, and those that UTF-8 never has (RFC 3629).
bool IsImpossible(unsigned char byte) {
  return (byte < 0x20 && !IsSpace(byte)) || byte == 0xc0 || byte == 0xc1 || byte >= 0xf5;
}

}  // namespace

void RequestSplitter::Feed(std::string_view bytes) {
  if (next_ == input_.size()) {
    input_.clear();
    next_ = 0;
  }
  input_.append(bytes);
}

std::optional<RequestSplitter::Item> RequestSplitter::Next() {
  while (!overflowed_ && next_ < input_.size()) {
    const auto byte = static_cast<unsigned char>(input_[next_]);
    if (auto item = Step(byte)) {
      return item;
    }
  }
  return std::nullopt;
}

std::optional<RequestSplitter::Item> RequestSplitter::Step(unsigned char byte) {
  ++next_;
  if (IsImpossible(byte)) {
    return Garbage(fmt::format("JSON parse error, stray byte 0x{:02x}", byte));
  }
  if (where_ == Where::kBetween) {
    if (IsSpace(byte)) {
      return std::nullopt;
    }
    where_ = byte == '{' || byte == '[' ? Where::kStructure : Where::kJunkLine;
  }
  if (where_ == Where::kJunkLine && byte == '\n') {
    return Complete();
  }
  value_.push_back(static_cast<char>(byte));
  if (value_.size() > kMaxRequestBytes) {
    return Overflow(fmt::format("request is longer than the limit of {} bytes", kMaxRequestBytes));
  }
  switch (where_) {
    case Where::kBetween:
    case Where::kJunkLine:
      break;
    case Where::kEscape:
      where_ = Where::kString;
      break;
    case Where::kString:
      if (byte == '\n' || byte == '\r' || byte == '\t') {
        return Garbage("JSON parse error, line break or tab inside a string");
      }
      if (byte == '"') {
        where_ = Where::kStructure;
      } else if (byte == '\\') {
        where_ = Where::kEscape;
      }
      break;
    case Where::kStructure:
      if (byte == '"') {
        where_ = Where::kString;
      } else if (byte == '{' || byte == '[') {
        if (++depth_ > kMaxRequestDepth) {
          return Overflow(
              fmt::format("request is nested deeper than the limit of {}", kMaxRequestDepth));
        }
      } else if ((byte == '}' || byte == ']') && --depth_ == 0) {
        return Complete();
      }
      break;
  }
  return std::nullopt;
}

RequestSplitter::Item RequestSplitter::Complete() {
  where_ = Where::kBetween;
  depth_ = 0;
  return {.kind = Kind::kValue, .text = std::exchange(value_, {})};
}

RequestSplitter::Item RequestSplitter::Garbage(std::string text) {
  where_ = Where::kBetween;
  depth_ = 0;
  value_.clear();
  return {.kind = Kind::kGarbage, .text = std::move(text)};
}

RequestSplitter::Item RequestSplitter::Overflow(std::string text) {
  overflowed_ = true;
  value_.clear();
  return {.kind = Kind::kOverflow, .text = std::move(text)};
}

}  // namespace tidevm::control
