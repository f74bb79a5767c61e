"""bench/compare: interleaved rounds, ratios to tmpfs, processor time."""

import sys
import time

from comparison import command_line, fio, machine, table
from comparison.chart import Bar, Panel, draw
from comparison.figures import axis_end, rotated, short
from comparison.stand import Stand, Unavailable
from comparison.subjects import DIRECT, FILE, MODE_TITLES, PLAIN, SUBJECTS, Disks, chosen
from comparison.workloads import WORKLOADS

DESCRIPTION = f"""\
Compares rnullfs with what a user could take instead, as memory disks: speed, and processor time.

Each round takes each workload in turn, and for each workload every subject in turn, in an order
that is rotated from round to round; ratios are to tmpfs in the same mode and round.
Every page is stored before anything is measured.  What this machine lacks is installed with apt or
left out with a line that says why.  Prints tables, and writes performance.json and charts.

subjects: {' '.join(subject.name for subject in SUBJECTS)}
--only takes these names, or their first part for all modes; tmpfs is always there to compare with.
"""

CUT_RATIO = 2.0  # longer bars would make the others too short to compare


def options():
    result = command_line.parser(DESCRIPTION, seconds=3)
    result.add_argument("--only", metavar="SUBJECT,...", help="these subjects and their baselines")
    result.add_argument("--size", type=command_line.positive(int), default=512, metavar="MIB",
                        help="of each disk (default 512)")
    result.add_argument("--mount-options", default="", metavar="NAME=VALUE,...",
                        help="further options for every mount of rnullfs, such as huge=always")
    return result


class Comparison:
    """One run.  `left_out` says why, by subject; `raw` has the rounds of those measured."""

    def __init__(self, subjects, disks):
        self.subjects = subjects
        self.disks = disks
        self.paths = {}
        self.raw = {}
        self.left_out = {}

    def leave_out(self, subject, reason):
        self.left_out[subject.name] = str(reason)
        self.subjects = [other for other in self.subjects if other is not subject]
        self.raw.pop(subject.name, None)
        print(f"left out: {subject.name}: {reason}", flush=True)

    def set_up(self):
        for subject in self.subjects:
            try:
                self.paths[subject.name] = self.disks.reach(subject)
                self.raw[subject.name] = {workload.name: [] for workload in WORKLOADS}
            except Unavailable as reason:
                self.leave_out(subject, reason)

    def measure_round(self, order, seconds, size_mib):
        for workload in WORKLOADS:
            for subject in order:
                if subject.name in self.left_out:
                    continue
                try:
                    result = fio.run([self.paths[subject.name]], workload, seconds, size_mib)
                    self.raw[subject.name][workload.name].append(result)
                except Unavailable as reason:
                    self.leave_out(subject, f"{workload.name}: {reason}")


def _ratio_bar(cell):
    ratio = cell.get("ratio")
    if not ratio:
        return None
    return Bar(ratio["median"], ratio["min"], ratio["max"], f"{ratio['median']:.2f}")


def _cpu_bar(cell):
    value = cell["cpu_s_per_100k"]
    return Bar(value, value, value, short(value))


def _draw(title, subtitle, subjects, summed, bar, **panel):
    rows = [(subject.title, subject.disk) for subject in subjects]
    return draw(title, subtitle, rows, [
        Panel(workload.title, tuple(bar(summed[subject.name][workload.name])
                                    for subject in subjects), **panel) for workload in WORKLOADS])


def _common_end(subjects, summed):
    """The end of the axis for all panels, so that tmpfs is at the same place in each."""
    return axis_end(min(CUT_RATIO, max(cell["ratio"]["max"] for subject in subjects
                                       for cell in summed[subject.name].values())))


def charts(summed, subjects, rounds):
    """Yields (file name, SVG) of each chart that these subjects make."""
    method = f"Medians of {rounds} interleaved round{'s' if rounds > 1 else ''}"
    for mode in (DIRECT, PLAIN, FILE):
        shown = [subject for subject in subjects
                 if subject.mode == mode and subject.name != subject.baseline]
        if shown and shown[0].baseline in summed:
            yield f"performance-{mode}.svg", _draw(
                f"Speed relative to tmpfs, {MODE_TITLES[mode]}",
                f"Longer is faster. {method}"
                + ("; thin lines: from the least to the greatest." if rounds > 1 else "."),
                shown, summed, _ratio_bar, reference=1.0, reference_name="tmpfs = 1",
                end=_common_end(shown, summed))
    shown = [subject for subject in subjects if subject.mode == DIRECT]
    if shown:
        yield "performance-cpu.svg", _draw(
            "Processor seconds of the whole machine per 100,000 requests",
            f"Shorter is cheaper: fio, daemons and the kernel together, {MODE_TITLES[DIRECT]}. "
            f"{method}.",
            shown, summed, _cpu_bar)


def report(comparison, arguments, facts, binary, took_s):
    """Prints the tables and writes the files."""
    subjects = comparison.subjects
    summed = table.summary(comparison.raw, subjects, WORKLOADS)
    print(table.comparison(summed, subjects, WORKLOADS, arguments.rounds))
    for name, reason in comparison.left_out.items():
        print(f"\nleft out: {name}: {reason}", end="")
    print(f"\n\nrounds: {arguments.rounds}, of {arguments.seconds:g} s each, on disks of "
          f"{arguments.size} MiB, {took_s:.0f} s in all\n{machine.facts_line(facts)}")
    path = table.update_results(arguments.output, "comparison", {
        "machine": facts, "rnullfs": binary.version, "rounds": arguments.rounds,
        "seconds": arguments.seconds, "size_mib": arguments.size,
        "disks": comparison.disks.made_by(),
        "workloads": {workload.name: workload.title for workload in WORKLOADS},
        "direct": {name: fio.takes_direct(path) for name, path in comparison.paths.items()},
        "left_out": comparison.left_out, "summary": summed, "rounds_raw": comparison.raw})
    print(f"written: {path}")
    for name, text in charts(summed, subjects, arguments.rounds):
        (arguments.output / name).write_text(text, encoding="utf-8")
        print(f"written: {arguments.output / name}")


def main():
    arguments = command_line.parse(options(), seconds=3, quick_seconds=0.4)
    try:
        subjects = chosen(arguments.only.split(",") if arguments.only else None)
        extra = dict(word.split("=", 1) for word in arguments.mount_options.split(",") if word)
    except KeyError as unknown:
        sys.exit(f"{unknown.args[0]}: no such subject; there are: "
                 + " ".join(subject.name for subject in SUBJECTS))
    except ValueError:
        sys.exit("--mount-options takes NAME=VALUE,...")
    began = time.monotonic()
    machine.prepare("nbdfuse", "nbdkit", "qemu-storage-daemon")
    binary = machine.Binary()
    # A disk holds its size, and what compresses badly a little more.
    command_line.need_memory(len({subject.disk for subject in subjects}) * arguments.size * 5 // 4)
    facts = machine.facts()
    with Stand() as stand:
        comparison = Comparison(subjects, Disks(stand, binary, arguments.size, extra))
        comparison.set_up()
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            comparison.measure_round(rotated(comparison.subjects, number, arguments.rounds),
                                     arguments.seconds, arguments.size)
        report(comparison, arguments, facts, binary, time.monotonic() - began)
