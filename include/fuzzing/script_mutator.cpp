// Changes of scripts that libFuzzer would take long to come upon: of whole lines, and with commands
// that there are. Of the rest, it makes its own.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fuzzing/script.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace tidevm::fuzzing {
namespace {

using Lines = std::vector<std::string>;

Lines LinesOf(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Lines lines;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return lines;
}

/// Whole lines only.
std::size_t Write(const Lines& lines, std::uint8_t* data, std::size_t max_size) {
  std::size_t size = 0;
  for (const std::string& line : lines) {
    if (line.size() + 1 > max_size - size) {
      break;
    }
    std::ranges::copy(line, data + size);
    size += line.size();
    data[size++] = '\n';
  }
  return size;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::size_t Below(std::size_t limit) { return random_() % limit; }

  void Change(Lines& lines) {
    const std::size_t kind = lines.empty() ? 0 : Below(6);
    if (kind < 3) {
      lines.insert(At(lines, 1), Command());
    } else if (kind == 3) {
      lines.erase(At(lines, 0));
    } else if (kind == 4) {
      std::swap(*At(lines, 0), *At(lines, 0));
    } else {
      const std::string line = *At(lines, 0);
      lines.insert(At(lines, 1), line);
    }
  }

 private:
  /// Any place, with `beyond` 1 also that after the last.
  Lines::iterator At(Lines& lines, std::size_t beyond) {
    return lines.begin() + static_cast<std::ptrdiff_t>(Below(lines.size() + beyond));
  }

  std::string Command() {
    static constexpr std::array<std::string_view, 8> kOdd = {
        "0xff", "0x80", "16", "64", "0xffff", "0x80000000", "0xffffffff", "0xffffffffffffffff"};
    const auto templates = Vocabulary();
    std::string command;
    for (const char c : templates[Below(templates.size())]) {
      if (c == '#') {
        command += static_cast<char>('0' + Below(5));
      } else if (c == '%') {
        command += "0123456789abcdef"[Below(16)];
      } else if (c == '$') {
        command += kOdd.at(Below(kOdd.size()));
      } else {
        command += c;
      }
    }
    return command;
  }

  std::minstd_rand random_;
};

}  // namespace
}  // namespace tidevm::fuzzing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  tidevm::fuzzing::Mutator mutator(seed);
  if (mutator.Below(4) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  auto lines = tidevm::fuzzing::LinesOf(data, size);
  for (std::size_t changes = 1 + mutator.Below(4); changes > 0; --changes) {
    mutator.Change(lines);
  }
  return tidevm::fuzzing::Write(lines, data, max_size);
}

/// The beginning of one, the end of the other.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t max_size,
                                                 unsigned int seed) {
  tidevm::fuzzing::Mutator mutator(seed);
  auto lines = tidevm::fuzzing::LinesOf(data1, size1);
  const auto others = tidevm::fuzzing::LinesOf(data2, size2);
  lines.resize(mutator.Below(lines.size() + 1));
  const auto from = static_cast<std::ptrdiff_t>(mutator.Below(others.size() + 1));
  lines.insert(lines.end(), others.begin() + from, others.end());
  return tidevm::fuzzing::Write(lines, out, max_size);
}
