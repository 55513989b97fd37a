"""The summary as a picture (SVG): one row for each system, the phases as pieces of its bar."""

from xml.sax.saxutils import escape

from .samples import at, spread_of
from .summary import MS, Q35, SYSTEMS, TIDEVM
from .text import number

WIDTH = 900
LABEL = 190  # left of the bars
BAR = 18
STEP = 26
BARS_WIDTH = WIDTH - LABEL - 110
COLOURS = ("#3b6ea5", "#e08a3c", "#6aa56a", "#a56a9f", "#8a8a8a")


class Bar:
    """One system's: pieces of (name, value), from left to right."""

    def __init__(self, label, pieces):
        self.label = label
        self.pieces = [(name, max(0.0, value)) for name, value in pieces]

    def total(self):
        return sum(value for _, value in self.pieces)


class Chart:
    def __init__(self, title, unit, bars):
        self.title = title
        self.unit = unit
        self.bars = [bar for bar in bars if bar.total() > 0]

    def height(self):
        return 64 + STEP * len(self.bars)


def _median(values):
    spread = spread_of(values)
    return None if spread is None else spread.median


def _split(samples, *moments):
    """The medians of what lies between one moment and the next: [value], or nothing if a sample has
    not all of them."""
    between = [[] for _ in moments]
    for sample in samples:
        times = [at(sample, "ns", moment) for moment in moments]
        if None in times:
            return None
        for i, time in enumerate(times):
            between[i].append(MS * (time - (times[i - 1] if i else 0)))
    return [_median(values) for values in between] if between[0] else None


def _boot(summary):
    names = ("VMM, to the first guest instruction", "firmware, unpacking, early kernel", "kernel, to init")
    bars = []
    for system in SYSTEMS:
        boots = summary.boots().where(system=system)
        parts = _split(boots, "first-entry", "kernel-clock", "init")
        if parts is None:
            parts = _split(boots, "kernel-clock", "init")
            if parts is not None:
                parts = [parts[0], 0.0, parts[1]]
        if parts is not None:
            bars.append(Bar(system, zip(names, parts)))
    return Chart(f"Boot with 1 of {summary.max} vCPUs: process start to guest's init", "ms", bars)


def _add(summary, turn):
    names = ("request to registered", "registered to online, less the kernel's part",
             "the guest's kernel brings it up")
    bars = []
    for system in (TIDEVM, Q35):
        parts = [[], [], []]
        for sample in summary.cycle("add", turn).where(system=system):
            inside = MS * sum(sample["guest-online-ns"])
            registered, online = (MS * sample["ns"][key] for key in ("registered", "online"))
            # Its init may be at work before the kernel has told the host.
            parts[0].append(min(registered, online - inside))
            parts[1].append(max(0.0, online - inside - registered))
            parts[2].append(inside)
        if parts[0]:
            bars.append(Bar(system, zip(names, map(_median, parts))))
    floor = _median(MS * value for value in summary.floor("online", turn).values("ns", "guest"))
    if floor is not None:
        bars.append(Bar("floor (no hotplug)", [(names[2], floor)]))
    return Chart(f"Add one vCPU, {turn} time: request to online", "ms", bars)


def _remove(summary, turn):
    names = ("request to the guest's beginning", "offline, ejected, thread gone")
    bars = []
    for system in (TIDEVM, Q35):
        parts = _split(summary.cycle("remove", turn).where(system=system), "in-progress", "deleted")
        if parts is not None:
            bars.append(Bar(system, zip(names, parts)))
    floor = _median(MS * value for value in summary.floor("offline", turn).values("ns", "guest"))
    if floor is not None:
        bars.append(Bar("floor (no hotplug)", [("taken offline by the guest itself", floor)]))
    return Chart(f"Remove one vCPU, {turn} time: request to gone", "ms", bars)


def _phases(summary, what):
    pieces, before = [], 0.0
    for phase, spread in summary.phases(what):
        pieces.append((phase, spread.median - before))
        before = max(before, spread.median)
    return Chart(f"tidevm's own phases: {what} one vCPU, first time", "ms", [Bar(TIDEVM, pieces)])


def _bursts(summary):
    bars = []
    for count in summary.burst_sizes():
        for system in (TIDEVM, Q35):
            value = _median(MS * value for value in summary.bursts("add", count).where(system=system)
                            .values("ns", "online"))
            if value is not None:
                bars.append(Bar(f"1 -> {count}  {system}", [("all online", value)]))
    return Chart("Several at once: request to all online", "ms", bars)


def charts(summary):
    everything = [_boot(summary), _add(summary, "first"), _phases(summary, "add"), _add(summary, "again"),
                  _remove(summary, "first"), _phases(summary, "remove"), _bursts(summary)]
    return [chart for chart in everything if chart.bars]


def _text(x, y, text, size=12, anchor="start", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}">{escape(text)}</text>')


def _legend(chart, y):
    names = list(dict.fromkeys(name for bar in chart.bars for name, _ in bar.pieces))
    x, parts = 10.0, []
    for i, name in enumerate(names):
        width = 24 + 6.3 * len(name)
        if x + width > WIDTH - 10 and i:
            break  # the table has them all
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" '
                     f'fill="{COLOURS[i % len(COLOURS)]}"/>' + _text(x + 14, y, name, 11, colour="#555"))
        x += width
    return parts, {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def _draw(chart, top):
    parts = [_text(10, top + 16, f"{chart.title} ({chart.unit}, medians)", 14)]
    legend, colours = _legend(chart, top + 36)
    parts += legend
    scale = BARS_WIDTH / max(bar.total() for bar in chart.bars)
    for i, bar in enumerate(chart.bars):
        y = top + 46 + STEP * i
        parts.append(_text(LABEL - 8, y + 13, bar.label, 12, "end"))
        x = float(LABEL)
        for name, value in bar.pieces:
            width = value * scale
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.2f}" height="{BAR}" '
                         f'fill="{colours[name]}"><title>{escape(name)}: {number(value)} {chart.unit}'
                         '</title></rect>')
            x += width
        parts.append(_text(x + 6, y + 13, number(bar.total()), 12))
    return parts


def render(summary, head):
    all_charts = charts(summary)
    top = 16 + 16 * len(head)
    height = top + sum(chart.height() for chart in all_charts) + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    parts += [_text(10, 20 + 16 * i, line, 11, colour="#555") for i, line in enumerate(head)]
    for chart in all_charts:
        parts += _draw(chart, top)
        top += chart.height()
    return "\n".join(parts + ["</svg>"]) + "\n"
