"""The raw results of a run, put together: tables, goals, and where the time goes.

Every time is of one run on one host and means something only beside the others of that run."""

from .samples import Samples, at, spread_of

TIDEVM = "tidevm"
Q35 = "qemu-q35"
MICROVM = "qemu-microvm"
SYSTEMS = (TIDEVM, Q35, MICROVM)

MS = 1e-6  # of nanoseconds
MIB = 1.0 / (1 << 20)

# In the order in which they come, where they all come in order.
ADD_PHASES = ("created", "started", "notified", "acknowledged", "registered", "booting", "online")
REMOVE_PHASES = ("notified", "acknowledged", "ost-in-progress", "going-down", "ejected", "joined",
                 "parked")
# Of KVM's counters, those that say why a vCPU left its guest.
EXITS = ("exits", "io_exits", "mmio_exits", "halt_exits", "irq_exits", "irq_window_exits",
         "signal_exits", "request_irq_exits", "insn_emulation")


class Row:
    """One line of a table: a spread for each system that has one."""

    def __init__(self, label, spreads):
        self.label = label
        self.spreads = {system: spread for system, spread in spreads.items() if spread is not None}

    def ratio(self):
        """tidevm to QEMU's q35, of the medians."""
        ours, theirs = self.spreads.get(TIDEVM), self.spreads.get(Q35)
        if ours is None or theirs is None or theirs.median == 0:
            return None
        return ours.median / theirs.median

    def as_json(self):
        return {"label": self.label, "ratio": self.ratio(),
                "systems": {system: spread.as_json() for system, spread in self.spreads.items()}}


class Table:
    def __init__(self, title, unit, rows):
        self.title = title
        self.unit = unit
        self.rows = [row for row in rows if row.spreads]

    def as_json(self):
        return {"title": self.title, "unit": self.unit, "rows": [row.as_json() for row in self.rows]}


class Goal:
    """A ratio (or a number) that is wanted to be at most so much."""

    def __init__(self, text, value, most, unit=""):
        self.text, self.value, self.most, self.unit = text, value, most, unit

    def met(self):
        return None if self.value is None else self.value <= self.most

    def as_json(self):
        return {"goal": self.text, "value": self.value, "most": self.most, "met": self.met()}


class Summary:
    def __init__(self, raw):
        self.raw = raw
        self.all = Samples(raw["samples"])
        # The shape of most VMs.
        self.max = max(self.all.where(what="add", scenario="cycle").values("to"), default=None)

    def tables(self):
        tables = [self._boot(), self._max()]
        for turn in ("first", "again"):
            tables += [self._add(turn), self._remove(turn)]
        tables += [self._bursts(), self._cpu_time(), self._exits("add"), self._exits("remove"),
                   self._memory(), self._idle(), self._sizes()]
        return [table for table in tables if table.rows]

    def _row(self, label, samples, *path, scale=1.0):
        return Row(label, {system: samples.where(system=system).spread(*path, scale=scale)
                           for system in SYSTEMS})

    # Boot

    def boots(self, largest=None):
        return self.all.where(what="boot", boot=1, max=largest or self.max, cmdline="")

    def _boot(self):
        boots = self.boots()
        rows = [self._row(label, boots, "ns", key, scale=MS) for label, key in (
            ("start -> first guest instruction", "first-entry"),
            ("start -> guest kernel's clock runs", "kernel-clock"),
            ("start -> guest's init", "init"))]
        return Table(f"Boot with 1 of {self.max} vCPUs", "ms", rows)

    def _max(self):
        rows = []
        sizes = self.all.where(what="boot", boot=1, cmdline="").distinct("max")
        memory = self.all.where(what="memory", cpus=1)
        if len(sizes) > 1:
            rows = [self._row(f"start -> guest's init, max={size}", self.boots(size), "ns", "init",
                              scale=MS) for size in sizes]
            rows += [self._row(f"resident MiB, max={size}", memory.where(max=size), "bytes", "resident",
                               scale=MIB) for size in sizes]
        return Table("What `max` costs", "ms, MiB", rows)

    # Hotplug, one vCPU at a time

    def cycle(self, what, turn):
        return self.all.where(what=what, scenario="cycle", turn=turn)

    def floor(self, step, turn):
        return self.all.where(what="floor", step=step, turn=turn)

    def _add(self, turn):
        adds = self.cycle("add", turn)
        inside = [dict(sample, rest=at(sample, "ns", "online") - sum(sample["guest-online-ns"]),
                       inside=sum(sample["guest-online-ns"])) for sample in adds]
        rows = [self._row(label, adds, "ns", key, scale=MS) for label, key in (
            ("request -> answered", "answered"), ("request -> registered (_OST)", "registered"),
            ("request -> online (the guest's line)", "online"))]
        rows += [self._row("  of which the guest's kernel brings it up", Samples(inside), "inside", scale=MS),
                 self._row("  of which all the rest", Samples(inside), "rest", scale=MS),
                 self._row("floor: its own CPU put online", self.floor("online", turn), "ns", "guest",
                           scale=MS)]
        return Table(f"Add one vCPU, {turn} time", "ms", rows)

    def _remove(self, turn):
        removes = self.cycle("remove", turn)
        rows = [self._row(label, removes, "ns", key, scale=MS) for label, key in (
            ("request -> answered", "answered"), ("request -> the guest begins (_OST)", "in-progress"),
            ("request -> gone (DEVICE_DELETED)", "deleted"))]
        rows.append(self._row("floor: its own CPU taken offline", self.floor("offline", turn), "ns",
                              "guest", scale=MS))
        return Table(f"Remove one vCPU, {turn} time", "ms", rows)

    def phases(self, what, turn="first"):
        """[(phase, spread)] of tidevm's own proofs, since the request, in the order of their medians."""
        order = ADD_PHASES if what == "add" else REMOVE_PHASES
        operations = [operation for sample in self.cycle(what, turn).where(system=TIDEVM)
                      for operation in sample.get("operations", [])]
        spreads = [(phase, Samples(operations).spread("ns", phase, scale=MS)) for phase in order]
        return sorted(((phase, spread) for phase, spread in spreads if spread is not None),
                      key=lambda pair: pair[1].median)

    # Several at once

    def bursts(self, what, count):
        """Those that go from 1 to `count` vCPUs, or back."""
        ends = {"from": 1, "to": count} if what == "add" else {"from": count, "to": 1}
        return self.all.where(what=what, turn="first", **ends).that(
            lambda sample: sample["scenario"].startswith("burst"))

    def burst_sizes(self):
        return self.all.where(what="add").that(
            lambda sample: sample["scenario"].startswith("burst")).distinct("to")

    def single_sums(self, system, what="add", step="online"):
        """For each VM of the cycle: how long all its adds took, one after the other."""
        sums = {}
        for sample in self.cycle(what, "first").where(system=system):
            sums.setdefault(sample["round"], []).append(sample["ns"][step])
        return [sum(values) for values in sums.values() if len(values) == self.max - 1]

    def _bursts(self):
        rows = []
        for count in self.burst_sizes():
            rows.append(self._row(f"1 -> {count} at once: all online", self.bursts("add", count), "ns",
                                  "online", scale=MS))
            rows.append(self._row(f"{count} -> 1 at once: all gone", self.bursts("remove", count), "ns",
                                  "deleted", scale=MS))
        if rows:
            rows.append(Row(f"1 -> {self.max} one by one, in sum", {
                system: spread_of(MS * value for value in self.single_sums(system))
                for system in (TIDEVM, Q35)}))
        return Table("Several at once", "ms", rows)

    # What it costs the host

    def _cpu_time(self):
        rows = []
        for what in ("add", "remove"):
            changes = self.cycle(what, "first")
            rows += [self._row(f"{what}: vCPU threads", changes, "cpu-ns", "vcpus", scale=MS),
                     self._row(f"{what}: other threads", changes, "cpu-ns", "others", scale=MS)]
        return Table("CPU time for one vCPU, first time", "ms", rows)

    def _exits(self, what):
        changes = self.cycle(what, "first")
        filled = [dict(sample, kvm={name: sample["kvm"].get(name, 0) for name in EXITS})
                  for sample in changes if "kvm" in sample]
        rows = [self._row(name, Samples(filled), "kvm", name) for name in EXITS]
        own = changes.where(system=TIDEVM)
        kinds = sorted({kind for sample in own for kind in sample.get("exits", {})})
        counted = [dict(sample, exits={kind: sample["exits"].get(kind, 0) for kind in kinds})
                   for sample in own if "exits" in sample]
        rows += [self._row(f"to user space: {kind}", Samples(counted), "exits", kind) for kind in kinds]
        return Table(f"Exits, {what} one vCPU, first time (KVM's counters)", "exits", [
            row for row in rows if any(spread.most for spread in row.spreads.values())])

    def _memory(self):
        memory = self.all.where(what="memory", scenario="cycle")
        rows = []
        for cpus in [count for count in memory.distinct("cpus") if count & (count - 1) == 0]:
            some = memory.where(cpus=cpus)
            rows += [self._row(f"resident, {cpus} vCPUs", some, "bytes", "resident", scale=MIB),
                     self._row(f"  of which written by it, {cpus} vCPUs", some, "bytes", "private-dirty",
                               scale=MIB)]
        return Table("Memory of the VMM without the guest's RAM", "MiB", rows)

    def idle_rates(self, system, whose):
        return [sample["switches"][whose] / (sample["ns"]["watched"] * 1e-9)
                for sample in self.all.where(what="idle", system=system)]

    def _idle(self):
        rows = [Row(label, {system: spread_of(self.idle_rates(system, whose)) for system in SYSTEMS})
                for label, whose in (("threads that are no vCPUs", "others"), ("vCPU threads", "vcpus"))]
        return Table(f"Wake-ups per idle second, {self.max} vCPUs", "1/s", rows)

    def _sizes(self):
        sizes = self.raw.get("sizes", {})
        rows = [Row(label, {system: spread_of([MIB * sizes[system][key]]) for system in sizes})
                for label, key in (("program", "program"), ("with its shared libraries", "with-libraries"),
                                   ("and the firmware that it loads", "with-firmware"))]
        return Table("Size on disk", "MiB", rows)

    # Goals

    def goals(self):
        def median(spread):
            return None if spread is None else spread.median

        def ratio(one, other):
            return None if one is None or not other else one / other

        def online(system, turn="first"):
            return median(self.cycle("add", turn).where(system=system).spread("ns", "online", scale=MS))

        def gone(system, turn="first"):
            return median(self.cycle("remove", turn).where(system=system).spread("ns", "deleted", scale=MS))

        def floor(step, turn="first"):
            return median(self.floor(step, turn).where(system=TIDEVM).spread("ns", "guest", scale=MS))

        proofs = dict(self.phases("add"))
        ends = dict(self.phases("remove"))
        burst = median(self.bursts("add", self.max).where(system=TIDEVM).spread("ns", "online"))
        singles = median(spread_of(self.single_sums(TIDEVM)))
        ours, theirs = (median(self.boots().where(system=system).spread("ns", "init"))
                        for system in (TIDEVM, Q35))
        first = median(self.boots().where(system=TIDEVM).spread("ns", "first-entry"))
        memory = median(self.all.where(what="memory", scenario="cycle", system=TIDEVM, cpus=4)
                        .spread("bytes", "resident", scale=MIB))
        return [
            Goal("add -> online (proof) / floor", ratio(median(proofs.get("online")), floor("online")), 1.25),
            Goal("add -> online (guest's line) / floor", ratio(online(TIDEVM), floor("online")), 1.25),
            Goal("add -> online / QEMU's", ratio(online(TIDEVM), online(Q35)), 0.6),
            Goal("remove -> joined / floor", ratio(median(ends.get("joined")), floor("offline")), 1.2),
            Goal("remove -> gone / QEMU's", ratio(gone(TIDEVM), gone(Q35)), 0.7),
            Goal(f"1 -> {self.max} at once / one by one", ratio(burst, singles), 0.6),
            Goal("start -> guest's init / QEMU q35's", ratio(ours, theirs), 0.5),
            Goal("start -> first guest instruction / start -> init", ratio(first, ours), 0.15),
            Goal("resident memory with 4 vCPUs, MiB", memory, 5.0),
            Goal("wake-ups per idle second", median(spread_of(self.idle_rates(TIDEVM, "others"))), 0.0),
        ]

    def as_json(self):
        return {
            "head": head(self.raw),
            "tables": [table.as_json() for table in self.tables()],
            "goals": [goal.as_json() for goal in self.goals()],
            "phases": {what: {phase: spread.as_json() for phase, spread in self.phases(what)}
                       for what in ("add", "remove")},
            "failures": self.raw["failures"],
        }


def head(raw):
    """The lines that every figure carries: what was compared, and on what."""
    host, about = raw["host"], raw.get("about", {})
    clock = ", a clock of executed instructions" if host.get("clock") == "instructions" else ""
    kinds = {"emulated": f"emulated host (QEMU TCG with SVM{clock})", "nested": "virtual machine with nested KVM",
             "hardware": "real hardware"}
    lines = [
        f"{about.get('tidevm', 'tidevm')} and {about.get('qemu', 'QEMU')}; guest Linux "
        f"{about.get('guest', '?')}, {raw['memory-mib']} MiB; {raw['rounds']} rounds",
        f"host: {kinds.get(host['kind'], host['kind'])}, {host['cpus']} CPU, Linux {host['kernel']}, "
        f"{host['processor']}, {host['memory-mib']} MiB",
    ]
    if "load" in about:
        loads = " and ".join(f"{load:.1f}" for load in about["load"])
        lines.append(f"machine: {about['cpus']} CPUs; load average before and after: {loads}; {about['date']}")
    return lines
