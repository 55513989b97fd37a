// A set of vCPU ids and the list format that Linux and tidevm's clients write: "0-3,6".
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "tidevm/ids.h"
#include "tidevm/result.h"

namespace tidevm {

/// Ordered set of vCPU ids.
class CpuSet {
 public:
  CpuSet() = default;
  CpuSet(std::initializer_list<CpuId> ids) : ids_(ids) {}

  /// {0, 1, ..., count - 1}
  static CpuSet FirstN(std::uint32_t count) {
    CpuSet set;
    for (CpuId cpu = 0; cpu < count; ++cpu) {
      set.Insert(cpu);
    }
    return set;
  }

  /// Reads "0-3,6". No blanks, ranges ascending, every id below `limit`, at least one id.
  /// Fails with kInvalidArgument naming the piece that is wrong.
  static Result<CpuSet> Parse(std::string_view text, std::uint32_t limit);

  void Insert(CpuId cpu) { ids_.insert(cpu); }
  void Erase(CpuId cpu) { ids_.erase(cpu); }
  bool Contains(CpuId cpu) const { return ids_.contains(cpu); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }
  bool empty() const { return ids_.empty(); }
  auto begin() const { return ids_.begin(); }
  auto end() const { return ids_.end(); }

  /// The shortest list: runs of two or more as "a-b". Empty set: "".
  std::string ToString() const;

  friend bool operator==(const CpuSet&, const CpuSet&) = default;

 private:
  std::set<CpuId> ids_;
};

inline Result<CpuSet> CpuSet::Parse(std::string_view text, std::uint32_t limit) {
  CpuSet set;
  std::string_view rest = text;
  do {
    const std::size_t comma = rest.find(',');
    const std::string_view piece = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    CpuId first = 0;
    const char* const end = piece.data() + piece.size();
    auto [cursor, error] = std::from_chars(piece.data(), end, first);
    CpuId last = first;
    if (error == std::errc{} && cursor != end && *cursor == '-') {
      const auto second = std::from_chars(cursor + 1, end, last);
      cursor = second.ptr;
      error = second.ec;
    }
    if (error != std::errc{} || cursor != end) {
      return Fail(ErrorCode::kInvalidArgument,
                  "CPU list \"{}\": \"{}\" is neither an id nor a range; write it like \"0-3,6\"",
                  text, piece);
    }
    if (last < first) {
      return Fail(ErrorCode::kInvalidArgument, "CPU list \"{}\": range \"{}\" runs backwards", text,
                  piece);
    }
    if (last >= limit) {
      return Fail(ErrorCode::kInvalidArgument, "CPU list \"{}\": {} is above the highest id, {}",
                  text, last, limit - 1);
    }
    for (CpuId cpu = first; cpu <= last; ++cpu) {
      set.Insert(cpu);
    }
    if (comma != std::string_view::npos && rest.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "CPU list \"{}\" ends in a comma", text);
    }
  } while (!rest.empty());
  return set;
}

inline std::string CpuSet::ToString() const {
  std::string text;
  for (auto it = ids_.begin(); it != ids_.end();) {
    const CpuId first = *it;
    CpuId last = first;
    for (++it; it != ids_.end() && *it == last + 1; ++it) {
      last = *it;
    }
    fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : ",", first);
    if (last != first) {
      fmt::format_to(std::back_inserter(text), "-{}", last);
    }
  }
  return text;
}

}  // namespace tidevm
