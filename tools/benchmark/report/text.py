"""The summary as text."""

from .summary import SYSTEMS, TIDEVM


def number(value):
    """Three digits that matter, and no more decimals than that takes."""
    if value == 0:
        return "0"
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"


def _cells(row, systems):
    cells = [row.label]
    for system in systems:
        spread = row.spreads.get(system)
        cells += ["-", "", ""] if spread is None else [
            number(spread.median), number(spread.p99), f"{number(spread.least)}..{number(spread.most)}"]
    ratio = row.ratio()
    cells.append("" if ratio is None else f"{ratio:.2f}")
    first = row.spreads.get(TIDEVM) or next(iter(row.spreads.values()))
    cells.append("/".join(str(row.spreads[system].count) for system in systems if system in row.spreads)
                 if len({spread.count for spread in row.spreads.values()}) > 1 else str(first.count))
    return cells


def columns(lines):
    """Lines of cells: the first to the left, the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def _table(table):
    systems = [system for system in SYSTEMS if any(system in row.spreads for row in table.rows)]
    heading = [f"{table.title} ({table.unit})"]
    for system in systems:
        heading += [system, "p99", "spread"]
    heading += ["ratio", "n"]
    return list(columns([heading] + [_cells(row, systems) for row in table.rows]))


def _phases(summary, what):
    steps = []
    before = 0.0
    for phase, spread in summary.phases(what):
        steps.append([phase, number(spread.median), f"+{number(max(0.0, spread.median - before))}",
                      number(spread.p99)])
        before = spread.median
    if not steps:
        return []
    heading = [f"tidevm's own phases: {what} one vCPU, first time (ms since the request)", "median", "step", "p99"]
    return list(columns([heading] + steps)) + [""]


def _goals(summary):
    lines = [["Goals (this run's ratios)", "is", "at most", ""]]
    for goal in summary.goals():
        met = goal.met()
        lines.append([goal.text, "-" if goal.value is None else f"{goal.value:.2f}", f"{goal.most:g}",
                      "not measured" if met is None else "met" if met else "BEHIND"])
    return list(columns(lines))


def render(summary, head):
    lines = list(head) + ["median, 99th percentile and spread; ratio: tidevm to qemu-q35, of the medians", ""]
    for table in summary.tables():
        lines += _table(table) + [""]
    for what in ("add", "remove"):
        lines += _phases(summary, what)
    lines += _goals(summary)
    failures = summary.raw["failures"]
    if failures:
        lines += ["", f"{len(failures)} FAILED:"]
        lines += [f"  round {failure['round']}, {failure['scenario']}, {failure['system']}: "
                  f"{failure['error'].splitlines()[0]}" for failure in failures]
    return "\n".join(lines) + "\n"
