"""bench/past: snapshots, history, moments and rollback."""

import os
import random
import threading
import time

from comparison import clones, command_line, fio, machine, many_disks, resets, table
from comparison.figures import rotated
from comparison.past_disks import (MIB, PAGE, READS, SIZE_MIB, Device, Figures, mount, opened,
                                   seconds_of)
from comparison.scaling import memory_of
from comparison.stand import Stand, Unavailable

DESCRIPTION = """\
Measures what it costs to remember: a snapshot of a large disk under writes, and the longest of
these; writes where a snapshot or the history has to keep what was there, beside such without;
reads of a snapshot, beside the disk; thousands of snapshots; going back; memory of the index; and
the same of clones, and of a thousand of them.  All of it on the disks' files, served by the daemon.
And what it takes to reset a test disk, and to have a hundred of them, beside qemu-img, reflinks on
xfs and device mapper.

Rounds are interleaved, figures are medians.  Prints tables and writes performance.json.
"""

SHORT_MIB, LONG_MIB = 64, 8192  # histories: one that is full, and one that is never

WRITE = fio.Workload("write", "4 KiB random write, queue depth 32", "randwrite", depth=32)
WRITE_QD1 = fio.Workload("write", "4 KiB random write, queue depth 1", "randwrite")


def snapshots_under_load(binary, arguments):
    """Snapshots of a large disk while fio writes to it, and while nothing is done."""
    figures = Figures()
    with Stand() as stand:
        device = Device(mount(stand, binary), "large", arguments.gib << 10).fill()

        def longest(take):
            """Of fio's writes, one at a time, while `take` is called ten times a second."""
            result = {}
            client = threading.Thread(target=lambda: result.update(
                fio.run([device.path], WRITE_QD1, arguments.seconds, device.size_mib)))
            client.start()
            taken = []
            for number in range(int(arguments.seconds * 10)):
                time.sleep(0.1)
                taken.append(seconds_of(lambda n=number: take(n)))
            client.join()
            return result["longest_ns"] / 1e6, sorted(taken)

        def take(number):
            device.snapshot(f"s{number}")

        def remove():
            for path in (device.directory / "snapshots").iterdir():
                path.rmdir()

        for _ in range(arguments.rounds):
            figures.add("nothing", "longest write, ms", longest(lambda _number: None)[0])
            figures.add("the first", "mkdir, ms", seconds_of(lambda: take("first")) * 1e3)
            wait, taken = longest(take)
            figures.add("snapshots", "longest write, ms", wait)
            figures.add("snapshots", "mkdir, ms", taken[len(taken) // 2] * 1e3)
            figures.add("snapshots", "longest mkdir, ms", taken[-1] * 1e3)
            figures.add("snapshots", "rmdir of all, ms", seconds_of(remove) * 1e3)
    return f"Snapshots of a disk with {arguments.gib} GiB stored, ten a second", figures, None


def writes_that_keep(binary, arguments):
    """Every page of a full disk once, in random order: with nothing to keep, and for a snapshot."""
    figures = Figures()
    with Stand() as stand:
        mounted = mount(stand, binary)
        plain = Device(mounted, "plain").fill()
        kept = Device(mounted, "kept").fill()
        for number in range(arguments.rounds):
            for depth in (1, 32):
                for row in rotated(["without", "first after a snapshot", "second"], number,
                                   arguments.rounds):
                    device = plain if row == "without" else kept
                    if row != "without":
                        device.snapshot("s")
                    if row == "second":
                        fio.each_page_once(device.path, device.size_mib, 32)
                    figures.add(row, f"depth {depth}",
                                fio.each_page_once(device.path, device.size_mib, depth))
                    if row != "without":
                        (device.directory / "snapshots/s").rmdir()
    return ("Every page once in random order, 4 KiB: requests a second", figures, "without")


def history(binary, arguments):
    """Random writes with and without history."""
    figures = Figures()
    rows = {"without": 0, "history, full": SHORT_MIB, "history, growing": LONG_MIB}
    with Stand() as stand:
        mounted = mount(stand, binary)
        devices = {row: Device(mounted, f"d{number}").fill() for number, row in enumerate(rows)}
        for number in range(arguments.rounds):
            for row in rotated(list(rows), number, arguments.rounds):
                devices[row].put("history", rows[row])
                for column, workload in (("depth 1", WRITE_QD1), ("depth 32", WRITE)):
                    result = fio.run([devices[row].path], workload, arguments.seconds, SIZE_MIB)
                    figures.add(row, column, result["iops"])
                if row == "history, growing":
                    devices[row].put("history", 0)
    return "4 KiB random writes with history: requests a second", figures, "without"


def reading(binary, arguments):
    """A snapshot, and the disk itself."""
    figures = Figures()
    with Stand() as stand:
        mounted = mount(stand, binary)
        unchanged, changed = (Device(mounted, name).fill() for name in ("unchanged", "changed"))
        views = {"the disk": unchanged.path,
                 "a snapshot, nothing changed": unchanged.snapshot("s") / "disk",
                 "a snapshot, half of it changed": changed.snapshot("s") / "disk",
                 "a snapshot, all of it changed": None}
        changed.write_pages(range(0, SIZE_MIB * MIB // PAGE, 2))
        all_changed = Device(mounted, "all").fill()
        views["a snapshot, all of it changed"] = all_changed.snapshot("s") / "disk"
        fio.fill([all_changed.path], SIZE_MIB)
        for number in range(arguments.rounds):
            for workload in READS:
                for row in rotated(list(views), number, arguments.rounds):
                    result = fio.run([views[row]], workload, arguments.seconds, SIZE_MIB)
                    figures.add(row, workload.name, result["iops"])
    return "Reads: requests a second, 4 KiB random and 1 MiB in order", figures, "the disk"


def thousands(binary, arguments):
    """Many snapshots of a disk, a page being written between two."""
    figures = Figures()
    count = 1000 if arguments.quick else 10_000
    with Stand() as stand:
        mounted = mount(stand, binary)
        device = Device(mounted, "many").fill()
        device.snapshot("first").rmdir()
        before = memory_of(mounted)["Pss_Anon"]

        def take():
            chance = random.Random(1)
            with opened(device.path) as disk:
                for number in range(count):
                    device.snapshot(f"s{number}")
                    os.pwrite(disk, os.urandom(PAGE), chance.randrange(SIZE_MIB << 8) * PAGE)

        directory = device.directory / "snapshots"
        row = f"{count} snapshots"
        figures.add(row, "mkdir and a write, s", seconds_of(take))
        figures.add(row, "daemon, KiB each", (memory_of(mounted)["Pss_Anon"] - before) / count)
        figures.add(row, "kept, KiB each", device.statistics()["past_bytes"] / 1024 / count)
        figures.add(row, "ls, ms", seconds_of(lambda: os.listdir(directory)) * 1e3)
        figures.add(row, "rmdir, s", seconds_of(
            lambda: [(directory / name).rmdir() for name in os.listdir(directory)]))
    return "Very many snapshots", figures, None


def going_back(binary, arguments):
    """Rollback of so many changed pages, of a disk that is full."""
    figures = Figures()
    with Stand() as stand:
        device = Device(mount(stand, binary), "back", 1024).fill()
        if not (device.directory / "rollback").exists():
            raise Unavailable("this rnullfs has no rollback")
        device.snapshot("s")
        for _ in range(arguments.rounds):
            for count in (0, 1000, 10_000):
                device.write_pages(random.sample(range(device.size_mib << 8), count))
                figures.add("rollback, ms", f"{count} pages",
                            seconds_of(lambda: device.put("rollback", "s")) * 1e3)
    return "Rollback of a disk of 1 GiB by what has changed", figures, None


def index(binary, _arguments):
    """What a version takes of the daemon's own memory, and of the past's file beside its page."""
    figures = Figures()
    for row, passes in (("each page once", 1), ("each page 16 times", 16)):
        with Stand() as stand:
            mounted = mount(stand, binary)
            device = Device(mounted, "index").fill()
            fio.each_page_once(device.path, SIZE_MIB, 32)  # what the daemon takes for that alone
            device.put("history", LONG_MIB)
            before, held = memory_of(mounted)["Pss_Anon"], device.statistics()
            for _ in range(passes):
                fio.each_page_once(device.path, SIZE_MIB, 32)
            versions = passes * (SIZE_MIB << 8)
            figures.add(row, "daemon, B",
                        (memory_of(mounted)["Pss_Anon"] - before) * 1024 / versions)
            now = device.statistics()
            figures.add(row, "file, B",
                        (now["past_bytes"] - held["past_bytes"]) / versions - PAGE)
    return "Memory for each version that is kept, beside its 4096 bytes", figures, None


def test_disks(binary, arguments):
    """Many disks that begin as one, and one of them put back."""
    figures = Figures()
    figures.left_out = many_disks.measure(binary, arguments, figures)
    return (f"{many_disks.disks(arguments)} disks of {resets.SIZE_MIB} MiB that begin as one, and a "
            f"reset of one, {resets.CHANGED} pages changed before"), figures, None


def beside_others(binary, arguments):
    """Resets of a test disk."""
    figures = Figures()
    figures.left_out = resets.measure(binary, arguments, figures)
    return (f"A disk of {resets.SIZE_MIB} MiB prepared, then reset {resets.times(arguments)} times, "
            f"{resets.CHANGED} pages changed before each"), figures, None


PARTS = (snapshots_under_load, writes_that_keep, history, reading, thousands, going_back, index,
         *clones.PARTS, beside_others, test_disks)


def main():
    options = command_line.parser(DESCRIPTION, seconds=2)
    options.add_argument("--gib", type=command_line.positive(int), default=16,
                         help="stored on the large disk (16)")
    options.add_argument("--only", help="the parts with these names, with commas: "
                         + " ".join(part.__name__ for part in PARTS))
    arguments = command_line.parse(options, 2, 0.3)
    machine.prepare("qemu-img", "mkfs.xfs")
    binary = machine.Binary()
    facts = machine.facts()
    command_line.need_memory((arguments.gib << 10) * 5 // 4 + 1024)
    results, left_out = {}, {}
    for part in PARTS:
        if arguments.only and part.__name__ not in arguments.only.split(","):
            continue
        try:
            heading, figures, baseline = part(binary, arguments)
        except Unavailable as reason:
            left_out[part.__name__] = str(reason)
            print(f"\nleft out: {part.__name__}: {reason}", flush=True)
            continue
        results[part.__name__] = {"heading": heading, "medians": figures.medians(),
                                  "rounds_raw": figures.raw()}
        print(figures.table(heading, figures.medians()), flush=True)
        if baseline:
            results[part.__name__]["ratios"] = figures.compared(baseline)
            print(figures.table(f"the same, by \"{baseline}\"", figures.compared(baseline)),
                  flush=True)
        for name, reason in getattr(figures, "left_out", {}).items():
            left_out[name] = reason
            print(f"left out: {name}: {reason}", flush=True)
    print(f"\nrounds: {arguments.rounds}, of {arguments.seconds:g} s each\n"
          + machine.facts_line(facts))
    path = table.update_results(arguments.output, "past", {
        "machine": facts, "rnullfs": binary.version, "rounds": arguments.rounds,
        "seconds": arguments.seconds, "gib": arguments.gib, "left_out": left_out, **results})
    print(f"written: {path}")
