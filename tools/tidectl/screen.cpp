#include "tools/tidectl/screen.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace tidevm::tidectl {
namespace {

constexpr char kEscape = '\x1b';

// The length of what begins at `position`: an SGR sequence, or one character. `columns` gets what
// it takes on the screen.
std::size_t NextPiece(std::string_view text, std::size_t position, std::size_t& columns) {
  columns = 0;
  if (text[position] == kEscape) {
    const std::size_t end = text.find('m', position);
    return (end == std::string_view::npos ? text.size() : end + 1) - position;
  }
  columns = 1;
  std::size_t length = 1;
  while (position + length < text.size() &&
         (static_cast<unsigned char>(text[position + length]) & 0xC0U) == 0x80U) {
    ++length;
  }
  return length;
}

}  // namespace

std::size_t ColumnsOf(std::string_view text) {
  std::size_t total = 0;
  for (std::size_t position = 0; position < text.size();) {
    std::size_t columns = 0;
    position += NextPiece(text, position, columns);
    total += columns;
  }
  return total;
}

std::string Clip(std::string_view text, std::size_t columns) {
  std::string result;
  std::size_t used = 0;
  bool coloured = false;
  for (std::size_t position = 0; position < text.size();) {
    std::size_t width = 0;
    const std::size_t length = NextPiece(text, position, width);
    if (used + width > columns) {
      return result + (coloured ? "\x1b[0m" : "");
    }
    const std::string_view piece = text.substr(position, length);
    coloured = width == 0 ? piece != "\x1b[0m" : coloured;
    result += piece;
    used += width;
    position += length;
  }
  return result;
}

std::string LiveLines::Redraw(const std::vector<std::string>& lines) {
  std::string text = drawn_ == 0 ? "" : fmt::format("\r\x1b[{}A", drawn_);
  for (const std::string& line : lines) {
    text += line + "\x1b[K\n";
  }
  drawn_ = lines.size();
  return text + "\x1b[J";
}

}  // namespace tidevm::tidectl
