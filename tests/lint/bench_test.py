#!/usr/bin/env python3
"""Shows that the benchmarks' arithmetic and charts say what was measured."""

import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[2] / "bench"))
# pylint: disable=wrong-import-position
from comparison import chart, figures, past, subjects, table
from comparison.workloads import WORKLOADS

SVG = "{http://www.w3.org/2000/svg}"


class FiguresTest(unittest.TestCase):
    def test_ratios_are_taken_within_a_round(self):
        # A machine that slows down to a half does so for both: the ratio of each round is 0.5.
        self.assertEqual(figures.ratios([50, 25, 40], [100, 50, 80]),
                         {"median": 0.5, "min": 0.5, "max": 0.5})
        self.assertEqual(figures.ratios([1, 6, 2], [1, 2, 1]), {"median": 2, "min": 1, "max": 3})
        with self.assertRaises(ValueError):
            figures.ratios([1, 2], [1])

    def test_each_round_has_everybody_and_another_first(self):
        orders = [figures.rotated("abcdef", number, 3) for number in range(3)]
        self.assertEqual(orders, ["abcdef", "cdefab", "efabcd"])

    def test_short(self):
        for value, text in ((0, "0"), (0.0123, "0.012"), (0.9996, "1.00"), (9.996, "10.0"),
                            (99.96, "100"), (999.6, "1.0k"), (9960, "10k"), (999_900, "1.0M")):
            self.assertEqual(figures.short(value), text)

    def test_axis_end(self):
        for largest, end in ((1, 1), (1.01, 1.25), (7, 8), (810, 1000), (0.03, 0.03)):
            self.assertAlmostEqual(figures.axis_end(largest), end)


class PastTest(unittest.TestCase):
    def test_rows_are_compared_within_a_round(self):
        figures_of = past.Figures()
        for without, with_history in ((100, 80), (10, 7), (50, 45)):
            figures_of.add("without", "depth 1", without)
            figures_of.add("history", "depth 1", with_history)
        self.assertEqual(figures_of.medians()["history"], {"depth 1": 45})
        self.assertEqual(figures_of.compared("without"), {"history": {"depth 1": 0.8}})


class SubjectsTest(unittest.TestCase):
    def test_a_choice_brings_what_it_is_compared_with(self):
        names = [subject.name for subject in subjects.chosen(["qemu", "dev-plain"])]
        self.assertEqual(names, ["tmpfs-plain", "tmpfs-direct", "dev-plain", "qemu-direct"])
        with self.assertRaises(KeyError):
            subjects.chosen(["floppy"])


class SummaryTest(unittest.TestCase):
    def test_a_row_is_compared_with_tmpfs_in_its_mode(self):
        def rounds(*iops):
            return {workload.name: [{"iops": value, "bytes_per_s": value * 2**20,
                                     "cpu_s_per_100k": 1} for value in iops]
                    for workload in WORKLOADS}
        chosen = subjects.chosen(["dev-plain", "dev-direct"])
        summed = table.summary({"tmpfs-plain": rounds(10, 20), "tmpfs-direct": rounds(100, 100),
                                "dev-plain": rounds(5, 5), "dev-direct": rounds(50, 70)},
                               chosen, WORKLOADS)
        self.assertEqual(summed["dev-plain"]["fsync"]["ratio"],
                         {"median": 0.375, "min": 0.25, "max": 0.5})
        self.assertEqual(summed["dev-direct"]["fsync"]["ratio"]["median"], 0.6)
        self.assertEqual(summed["dev-direct"]["read_1m"]["mib_per_s"], 60)


class ChartTest(unittest.TestCase):
    def test_bars_are_as_long_as_their_figures(self):
        panel = chart.Panel("a & b, c", (chart.Bar(0.5, 0.4, 0.6, "half"),
                                         chart.Bar(1, 1, 1, "<1>"),
                                         chart.Bar(9, 9, 9, "nine"), None), 1.0, "one", end=2.0)
        rows = [("x", "dev"), ("y", "uring"), ("z", "zram"), ("none", "qemu")]
        drawing = xml.etree.ElementTree.fromstring(chart.draw("t", "s", rows, [panel]))
        bars = {bar.get("class"): float(bar.get("width")) for bar in drawing.iter(SVG + "rect")
                if bar.get("class") in chart.COLOURS}
        self.assertAlmostEqual(bars["uring"], 2 * bars["dev"], delta=0.2)
        self.assertAlmostEqual(bars["zram"], 2 * bars["uring"], delta=0.2)  # cut off at the end
        self.assertNotIn("qemu", bars)
        texts = {text.text for text in drawing.iter(SVG + "text")}
        self.assertLessEqual({"a & b", "c", "half", "<1>", "nine", "not measured"}, texts)


if __name__ == "__main__":
    unittest.main()
