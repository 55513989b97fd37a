#include "tools/tidectl/watch_view.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "tidevm/cpu_set.h"
#include "tools/tidectl/duration.h"

namespace tidevm::tidectl {
namespace {

using Cpus = std::vector<const WatchedCpu*>;
using Lines = std::vector<std::string>;

constexpr std::size_t kGap = 2;  // between two cells side by side
constexpr std::string_view kLegend =
    "w wanted  r registered  o online  ? unknown  + add pending  - removal pending";

std::string Share(const WatchedCpu& cpu) {
  return cpu.share ? fmt::format("{:.0f}%", *cpu.share * 100) : "-";
}

std::string Painted(const WatchedCpu& cpu, std::string_view text, const Style& style) {
  return style.Paint(text, cpu.pending_kind.empty() ? Color::kNone : Color::kWaiting);
}

char Sign(const WatchedCpu& cpu) {
  return cpu.pending_kind.empty() ? ' ' : cpu.pending_kind == "add" ? '+' : '-';
}

std::string Flags(const WatchedCpu& cpu) {
  const auto flag = [](const std::string& value, char letter) {
    return value == "yes" ? letter : value == "no" ? '-' : '?';
  };
  return {cpu.wanted ? 'w' : '-', flag(cpu.registered, 'r'), flag(cpu.online, 'o')};
}

std::string ShortCell(const WatchedCpu& cpu) {
  const std::string what =
      cpu.pending_kind.empty() ? cpu.state : fmt::format("{}{}", Sign(cpu), cpu.pending_phase);
  return fmt::format("{:>3} {:<13.13} {} {:>4}", cpu.cpu, what, Flags(cpu), Share(cpu));
}

std::string ShortestCell(const WatchedCpu& cpu) {
  return fmt::format("{:>3}{}{} {:>4}", cpu.cpu, Sign(cpu), Flags(cpu), Share(cpu));
}

std::optional<Lines> AsTable(const Cpus& cpus, const ScreenSize& room, const Style& style) {
  Table table({{"CPU", true},
               {"WANTED"},
               {"STATE"},
               {"THREAD", true},
               {"REGISTERED"},
               {"ONLINE"},
               {"CPU-TIME", true},
               {"SHARE", true},
               {"PENDING"}});
  for (const WatchedCpu* cpu : cpus) {
    table.AddRow({std::to_string(cpu->cpu), cpu->wanted ? "yes" : "no", cpu->state, cpu->thread,
                  cpu->registered, cpu->online,
                  cpu->cpu_time.count() == 0 ? "-" : FormatDuration(cpu->cpu_time), Share(*cpu),
                  cpu->pending_kind.empty()
                      ? "-"
                      : fmt::format("{} {}", cpu->pending_kind, cpu->pending_phase)});
  }
  Lines lines;
  std::istringstream text(table.ToString());
  for (std::string line; std::getline(text, line);) {
    if (line.size() > room.columns) {
      return std::nullopt;
    }
    lines.push_back(lines.empty() ? line : Painted(*cpus[lines.size() - 1], line, style));
  }
  return lines.size() <= room.rows ? std::optional(lines) : std::nullopt;
}

// Down the first column, then down the next. All cells are equally wide.
std::optional<Lines> SideBySide(const Cpus& cpus, std::string (*cell)(const WatchedCpu&),
                                const ScreenSize& room, const Style& style) {
  if (cpus.empty() || room.rows < 2) {
    return std::nullopt;
  }
  const std::size_t width = ColumnsOf(cell(*cpus.front()));
  const std::size_t across = std::max<std::size_t>((room.columns + kGap) / (width + kGap), 1);
  const std::size_t rows = (cpus.size() + across - 1) / across;
  if (rows > room.rows - 1) {
    return std::nullopt;
  }
  Lines lines;
  for (std::size_t row = 0; row < rows; ++row) {
    std::string line;
    for (std::size_t i = row; i < cpus.size(); i += rows) {
      line += (i == row ? "" : std::string(kGap, ' ')) + Painted(*cpus[i], cell(*cpus[i]), style);
    }
    lines.push_back(Clip(line, room.columns));
  }
  lines.push_back(Clip(kLegend, room.columns));
  return lines;
}

std::optional<Lines> Fitted(const Cpus& cpus, const ScreenSize& room, const Style& style) {
  if (auto lines = AsTable(cpus, room, style)) {
    return lines;
  }
  if (auto lines = SideBySide(cpus, ShortCell, room, style)) {
    return lines;
  }
  return SideBySide(cpus, ShortestCell, room, style);
}

Lines Body(const WatchModel& model, ScreenSize room, const Style& style) {
  Cpus cpus;
  for (const WatchedCpu& cpu : model.cpus) {
    cpus.push_back(&cpu);
  }
  if (auto lines = Fitted(cpus, room, style)) {
    return *lines;
  }
  const std::size_t all = cpus.size();
  std::erase_if(cpus, [](const WatchedCpu* cpu) { return cpu->Idle(); });
  const std::size_t idle = all - cpus.size();
  room.rows -= std::min<std::size_t>(room.rows, 1);  // for the count
  std::optional<Lines> lines;
  std::size_t cut = 0;
  while (!(lines = Fitted(cpus, room, style)) && !cpus.empty()) {
    cpus.pop_back();
    ++cut;
  }
  Lines result = lines.value_or(Lines{});
  std::string count = cut == 0 ? "" : fmt::format("{} more do not fit", cut);
  if (idle != 0) {
    count += fmt::format("{}{} idle are not shown", cut == 0 ? "" : ", ", idle);
  }
  result.push_back(Clip(count, room.columns));
  return result;
}

std::string Heading(const WatchModel& model) {
  CpuSet wanted;
  CpuSet online;
  for (const WatchedCpu& cpu : model.cpus) {
    if (cpu.wanted) {
      wanted.Insert(cpu.cpu);
    }
    if (cpu.online == "yes") {
      online.Insert(cpu.cpu);
    }
  }
  return fmt::format("{}  {}  wanted: {} of {} ({})  online: {} ({})  q ends", model.name,
                     model.status, wanted.size(), model.cpus.size(), wanted.ToString(),
                     online.size(), online.empty() ? "-" : online.ToString());
}

}  // namespace

std::vector<std::string> RenderWatch(const WatchModel& model, const ScreenSize& screen,
                                     const Style& style) {
  Lines lines = {Clip(Heading(model), screen.columns)};
  const std::size_t rows = std::max<std::size_t>(screen.rows, 1);
  for (std::string& line : Body(model, {.rows = rows - 1, .columns = screen.columns}, style)) {
    lines.push_back(std::move(line));
  }
  lines.resize(std::min(lines.size(), rows));
  return lines;
}

}  // namespace tidevm::tidectl
