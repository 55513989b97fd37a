#!/usr/bin/python3
"""Tests of the benchmark's statistics and rendering, on made-up results. Needs no KVM."""

import os
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from report import picture, text
from report.samples import Samples, Spread, at, spread_of
from report.summary import MS, Q35, TIDEVM, Summary, head

MILLISECOND = 1_000_000


def sample(what, system, scenario="cycle", round_=1, **more):
    return dict(what=what, system=system, scenario=scenario, round=round_, position=0, **more)


def boot(system, init, first=None, largest=4):
    times = {"init": init * MILLISECOND, "kernel-clock": init * MILLISECOND // 2}
    if first is not None:
        times["first-entry"] = first * MILLISECOND
    return sample("boot", system, boot=1, max=largest, cmdline="", ns=times)


def add(system, cpus, online, round_=1, **more):
    return sample("add", system, round_=round_, turn="first", **{"from": cpus - 1}, to=cpus, ns={
        "answered": 1 * MILLISECOND, "registered": online * MILLISECOND // 4,
        "online": online * MILLISECOND}, **{"guest-online-ns": [online * MILLISECOND // 2]}, **more)


def remove(system, cpus, deleted, **more):
    return sample("remove", system, turn="first", **{"from": cpus}, to=cpus - 1,
                  ns={"answered": 1, "in-progress": 2, "deleted": deleted * MILLISECOND}, **more)


def floor(step, took, system=TIDEVM):
    return sample("floor", system, scenario="floor", cpu=1, step=step, turn="first",
                  ns={"guest": took * MILLISECOND})


def operation(cpu, **phases):
    return {"cpu": cpu, "ns": {name.replace("_", "-"): value * MILLISECOND for name, value in phases.items()}}


def raw_results(samples, failures=()):
    return {"format": 1, "rounds": 1, "memory-mib": 512, "samples": list(samples), "failures": list(failures),
            "host": {"kind": "emulated", "cpus": 1, "kernel": "6.1", "processor": "a <CPU> & more",
                     "memory-mib": 4096},
            "about": {"tidevm": "tidevm 1", "qemu": "QEMU 2", "guest": "6.1", "cpus": 2, "load": [0.5, 1.25],
                      "date": "2026-01-02"}}


# Three vCPUs come one by one, in 40, 20 and 30 ms, and with QEMU in twice that.
CYCLE = ([add(TIDEVM, cpus, time, operations=[operation(cpus - 1, requested=0, created=1, registered=5,
                                                        online=time // 2)])
          for cpus, time in ((2, 40), (3, 20), (4, 30))] +
         [add(Q35, cpus, 2 * time) for cpus, time in ((2, 40), (3, 20), (4, 30))] +
         [remove(TIDEVM, 4, 7), remove(Q35, 4, 14), floor("online", 20), floor("offline", 5)] +
         [boot(TIDEVM, 100, 20), boot(Q35, 400, 10)])


class SpreadTest(unittest.TestCase):
    def test_of_an_odd_number_the_median_is_one_of_them(self):
        spread = Spread([5, 1, 100])
        self.assertEqual((spread.count, spread.median, spread.least, spread.most), (3, 5, 1, 100))

    def test_of_an_even_number_it_lies_between(self):
        self.assertEqual(Spread([1, 2, 4, 8]).median, 3)

    def test_the_99th_percentile_is_a_value_that_was_measured(self):
        self.assertEqual(Spread(range(1, 101)).p99, 99)
        self.assertEqual(Spread(range(1, 102)).p99, 100)
        self.assertEqual(Spread([3, 1, 2]).p99, 3)
        self.assertEqual(Spread([7]).p99, 7)

    def test_of_nothing_there_is_none(self):
        self.assertIsNone(spread_of([]))


class SamplesTest(unittest.TestCase):
    def test_are_picked_by_their_values(self):
        samples = Samples(CYCLE)
        self.assertEqual(len(samples.where(what="add", system=TIDEVM)), 3)
        self.assertEqual(samples.where(what="add").distinct("to"), [2, 3, 4])

    def test_one_that_lacks_the_value_does_not_count(self):
        samples = Samples([boot(TIDEVM, 100, 20), boot(TIDEVM, 200)])
        self.assertEqual(samples.values("ns", "first-entry"), [20 * MILLISECOND])
        self.assertIsNone(at({"ns": 3}, "ns", "first-entry"))

    def test_are_scaled_before_they_are_put_together(self):
        self.assertAlmostEqual(Samples([boot(TIDEVM, 100)]).spread("ns", "init", scale=MS).median, 100)


class SummaryTest(unittest.TestCase):
    def setUp(self):
        self.summary = Summary(raw_results(CYCLE))

    def row(self, title, label):
        table = next(table for table in self.summary.tables() if table.title.startswith(title))
        return next(row for row in table.rows if row.label.startswith(label))

    def goal(self, words):
        return next(goal for goal in self.summary.goals() if goal.text.startswith(words))

    def test_a_ratio_is_of_the_medians(self):
        row = self.row("Add one vCPU, first", "request -> online")
        self.assertAlmostEqual(row.spreads[TIDEVM].median, 30)
        self.assertAlmostEqual(row.spreads[Q35].median, 60)
        self.assertAlmostEqual(row.ratio(), 0.5)

    def test_the_guests_own_part_is_told_from_the_rest(self):
        self.assertAlmostEqual(self.row("Add one", "  of which the guest").spreads[TIDEVM].median, 15)
        self.assertAlmostEqual(self.row("Add one", "  of which all").spreads[TIDEVM].median, 15)

    def test_goals_are_held_against_floor_and_qemu(self):
        self.assertAlmostEqual(self.goal("add -> online (guest's line) / floor").value, 30 / 20)
        self.assertFalse(self.goal("add -> online (guest's line) / floor").met())
        self.assertAlmostEqual(self.goal("add -> online (proof)").value, 15 / 20)
        self.assertAlmostEqual(self.goal("add -> online / QEMU").value, 0.5)
        self.assertTrue(self.goal("add -> online / QEMU").met())
        self.assertAlmostEqual(self.goal("remove -> gone").value, 0.5)
        self.assertAlmostEqual(self.goal("start -> guest's init").value, 0.25)
        self.assertAlmostEqual(self.goal("start -> first").value, 0.2)

    def test_what_was_not_measured_meets_no_goal(self):
        self.assertIsNone(self.goal("resident").value)
        self.assertIsNone(self.goal("resident").met())

    def test_single_adds_are_added_up_within_their_vm(self):
        values = [add(TIDEVM, cpus, 10 * cpus, round_=2) for cpus in (2, 3, 4)]
        incomplete = [add(TIDEVM, 2, 1000, round_=3)]
        summary = Summary(raw_results(CYCLE + values + incomplete))
        self.assertEqual(sorted(value / MILLISECOND for value in summary.single_sums(TIDEVM)), [90, 90])

    def test_a_burst_is_no_single_add(self):
        burst = sample("add", TIDEVM, scenario="burst 4", turn="first", **{"from": 1}, to=4,
                       ns={"answered": 1, "registered": 2, "online": 45 * MILLISECOND},
                       **{"guest-online-ns": [1, 1, 1]})
        self.summary = Summary(raw_results(CYCLE + [burst]))
        self.assertAlmostEqual(self.goal("1 -> 4 at once").value, 45 / 90)
        self.assertEqual(self.row("Add one vCPU", "request -> online").spreads[TIDEVM].count, 3)

    def test_phases_come_in_the_order_of_time(self):
        self.assertEqual([phase for phase, _ in self.summary.phases("add")], ["created", "registered", "online"])

    def test_idle_rates_are_per_second(self):
        idle = sample("idle", TIDEVM, cpus=4, ns={"watched": 2_000 * MILLISECOND},
                      switches={"vcpus": 30, "others": 4})
        summary = Summary(raw_results([idle]))
        self.assertEqual(summary.idle_rates(TIDEVM, "others"), [2.0])

    def test_exits_that_did_not_happen_are_zero_not_missing(self):
        some = [add(TIDEVM, 2, 1, kvm={"exits": 10, "mmio_exits": 4}), add(TIDEVM, 3, 1, kvm={"exits": 12})]
        self.summary = Summary(raw_results(some))
        row = self.row("Exits, add", "mmio_exits")
        self.assertEqual((row.spreads[TIDEVM].count, row.spreads[TIDEVM].median), (2, 2))

    def test_nothing_at_all_has_no_tables(self):
        self.assertEqual(Summary(raw_results([])).tables(), [])


class TextTest(unittest.TestCase):
    def render(self, raw):
        return text.render(Summary(raw), head(raw))

    def test_numbers_have_three_digits(self):
        self.assertEqual([text.number(value) for value in (0, 0.01234, 1.234, 12.34, 123.4, 12345.6)],
                         ["0", "0.012", "1.23", "12.3", "123", "12346"])

    def test_every_report_says_on_what_it_was_taken(self):
        report = self.render(raw_results(CYCLE))
        self.assertIn("host: emulated host (QEMU TCG with SVM), 1 CPU, Linux 6.1", report)
        self.assertIn("tidevm 1 and QEMU 2", report)
        self.assertIn("load average before and after: 0.5 and 1.2", report)

    def test_has_medians_ratio_and_goals(self):
        report = self.render(raw_results(CYCLE))
        line = next(line for line in report.splitlines() if line.startswith("request -> online"))
        self.assertEqual(line.split()[-8:], ["30.0", "40.0", "20.0..40.0", "60.0", "80.0", "40.0..80.0",
                                              "0.50", "3"])
        self.assertRegex(report, r"add -> online / QEMU's +0\.50 +0\.6 +met")
        self.assertRegex(report, r"add -> online \(guest's line\) / floor +1\.50 +1\.25 +BEHIND")

    def test_failures_are_told(self):
        report = self.render(raw_results(CYCLE, [
            {"round": 2, "scenario": "burst 4", "system": Q35, "error": "it hung\nand more"}]))
        self.assertIn("1 FAILED:\n  round 2, burst 4, qemu-q35: it hung\n", report)

    def test_nothing_measured_is_no_crash(self):
        self.assertIn("not measured", self.render(raw_results([])))


class PictureTest(unittest.TestCase):
    def setUp(self):
        self.raw = raw_results(CYCLE)
        self.summary = Summary(self.raw)

    def chart(self, title):
        return next(chart for chart in picture.charts(self.summary) if chart.title.startswith(title))

    def test_phases_add_up_to_the_whole(self):
        bars = {bar.label: bar for bar in self.chart("Boot").bars}
        self.assertAlmostEqual(bars[TIDEVM].total(), 100)
        self.assertEqual([round(value) for _, value in bars[TIDEVM].pieces], [20, 30, 50])
        self.assertAlmostEqual(bars[Q35].total(), 400)

    def test_a_boot_without_first_instruction_has_two_pieces(self):
        self.summary = Summary(raw_results(CYCLE[:-2] + [boot(TIDEVM, 100)]))
        self.assertEqual([round(value) for _, value in self.chart("Boot").bars[0].pieces], [50, 0, 50])

    def test_the_floor_stands_beside_the_systems(self):
        self.assertEqual([bar.label for bar in self.chart("Add one vCPU, first").bars],
                         [TIDEVM, Q35, "floor (no hotplug)"])

    def test_is_well_formed_and_says_on_what_it_was_taken(self):
        image = picture.render(self.summary, head(self.raw))
        root = xml.etree.ElementTree.fromstring(image)
        words = " ".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
        self.assertIn("a <CPU> & more", words)
        self.assertIn("Add one vCPU, first time", words)
        height = float(root.get("height"))
        bars = [element for element in root.iter("{http://www.w3.org/2000/svg}rect")]
        self.assertTrue(all(float(bar.get("y", 0)) + float(bar.get("height")) <= height for bar in bars))
        self.assertTrue(all(float(bar.get("x", 0)) + float(bar.get("width")) <= picture.WIDTH for bar in bars))

    def test_of_nothing_is_well_formed_too(self):
        raw = raw_results([])
        xml.etree.ElementTree.fromstring(picture.render(Summary(raw), head(raw)))


if __name__ == "__main__":
    unittest.main()
