// What a terminal shows, made of text alone: no system calls, so tests can read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidevm::tidectl {

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

/// Columns that `text` takes: UTF-8, one each; the colours of Style::Paint take none.
std::size_t ColumnsOf(std::string_view text);

/// The beginning of `text` that fits; colours are closed again.
std::string Clip(std::string_view text, std::size_t columns);

/// Lines that are drawn again in the same place, for as long as nothing else is written.
class LiveLines {
 public:
  /// What to write so that `lines` stand where those of the last call did. Each must fit.
  std::string Redraw(const std::vector<std::string>& lines);

 private:
  std::size_t drawn_ = 0;
};

}  // namespace tidevm::tidectl
