#include "tools/tidectl/render_progress.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace tidevm::tidectl {
namespace {

// From phase number `first` on.
std::string Phases(const Progress& operation, std::size_t first, const Style& style) {
  const std::string_view between = style.unicode ? " · " : " > ";
  const std::string_view more = style.unicode ? "… · " : ".. > ";
  std::string text(first == 0 ? std::string_view() : more);
  for (std::size_t i = first; i < operation.phases().size(); ++i) {
    text += i == first ? "" : between;
    text += operation.phases()[i];
  }
  return text;
}

std::string Line(const Progress& operation, std::chrono::nanoseconds age, std::size_t columns,
                 const Style& style) {
  const std::string head = fmt::format("vCPU {:<3} {:<6}  ", operation.cpu(), operation.kind());
  const double seconds = std::chrono::duration<double>(age).count();
  std::string tail =
      operation.Ended()
          ? fmt::format("  {} {:.2f} s",
                        style.Paint(operation.outcome(), ColorOfOutcome(operation.outcome())),
                        seconds)
          : fmt::format(" {} {:.2f} s", style.unicode ? "…" : "..", seconds);
  if (!operation.reason().empty()) {
    tail += ": " + operation.reason();
  }
  std::string line;
  for (std::size_t first = 0; first < std::max<std::size_t>(operation.phases().size(), 1);
       ++first) {
    line = head + Phases(operation, first, style) + tail;
    if (ColumnsOf(line) <= columns) {
      return line;
    }
  }
  return Clip(line, columns);
}

std::string Rest(const std::vector<const Progress*>& operations,
                 const std::vector<std::size_t>& order, std::size_t shown, std::size_t columns) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = shown; i < order.size(); ++i) {
    ++counts[operations[order[i]]->outcome()];
  }
  std::string text = fmt::format("and {} more:", order.size() - shown);
  for (const auto& [outcome, count] : counts) {
    text += fmt::format("{} {} {}", &counts.begin()->first == &outcome ? "" : ",", count, outcome);
  }
  return Clip(text, columns);
}

}  // namespace

std::vector<std::string> RenderProgress(const std::vector<const Progress*>& operations,
                                        const std::vector<std::chrono::nanoseconds>& ages,
                                        const ScreenSize& screen, const Style& style) {
  const std::size_t room = std::max<std::size_t>(screen.rows, 3) - 1;
  std::vector<std::size_t> order(operations.size());
  std::iota(order.begin(), order.end(), 0);
  std::size_t shown = order.size();
  if (shown > room) {
    shown = room - 1;
    std::stable_partition(order.begin(), order.end(),
                          [&](std::size_t i) { return !operations[i]->Ended(); });
  }
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(Line(*operations[order[i]], ages[order[i]], screen.columns, style));
  }
  if (shown < order.size()) {
    lines.push_back(Rest(operations, order, shown, screen.columns));
  }
  return lines;
}

}  // namespace tidevm::tidectl
