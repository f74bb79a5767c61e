"""bench/scaling: what more jobs, more disks and more bytes do."""

import pathlib
import re
import time

from comparison import command_line, fio, machine, servers, table
from comparison.figures import short, spread
from comparison.stand import Stand, Unavailable, unmount

DESCRIPTION = """\
Measures how rnullfs grows: requests a second against the number of jobs on one disk and against the
number of disks with a job each, beside files on tmpfs; the time a mount with 1,000 powered disks
takes; the memory the daemon needs for each stored GiB; and how fast an empty disk is filled.

Everything is measured on the disks' files, without loop devices, whose driver would be the limit.
Rounds are interleaved, figures are medians.  Prints tables and writes performance.json.
"""

PATHS = ("passthrough", "daemon")
SYSTEMS = ("tmpfs", *PATHS)
JOBS = (1, 2, 3, 4, 6, 8)
DISKS = (1, 2, 4, 8, 16, 32, 64)
MANY = 1000
JOBS_SIZE_MIB, DISKS_SIZE_MIB = 512, 32
WORKLOAD = fio.Workload("jobs", "4 KiB random, queue depth 8", "randrw", depth=8,
                        extra=("--rwmixread=70",))


class Series:
    """Figures by system and step: values[system][step] has one for each round."""

    def __init__(self):
        self.values = {}

    def add(self, system, step, value):
        self.values.setdefault(system, {}).setdefault(step, []).append(round(value, 4))

    def medians(self):
        return {system: {step: spread(values)["median"] for step, values in steps.items()}
                for system, steps in self.values.items()}

    def table(self, heading, unit=short):
        medians = self.medians()
        steps = list(dict.fromkeys(step for values in medians.values() for step in values))
        return table.section(heading, [["", *map(str, steps)], *(
            [system, *(unit(values[step]) if step in values else "-" for step in steps)]
            for system, values in medians.items())])


def mount(stand, binary, datapath, disks, size_mib):
    """A mount with powered disks of which each has its size of memory to itself."""
    mounted = servers.mount_rnullfs(stand, binary, {
        "nr_devices": disks, "size": size_mib, "memory_backed": 1, "datapath": datapath,
        "power": 1})
    servers.check(mounted, datapath, None)
    return mounted


def files(stand, binary, system, disks, size_mib):
    """`disks` files of a system, every page stored."""
    if system == "tmpfs":
        paths = [servers.tmpfs(stand, size_mib).path for _ in range(disks)]
    else:
        mounted = mount(stand, binary, system, disks, size_mib)
        paths = [mounted.disk(number) for number in range(disks)]
    fio.fill(paths, size_mib)
    return paths


def iops(binary, rounds, seconds, steps, disks, size_mib):
    """A Series: for each step so many jobs at once, on as many of `disks` disks as there are."""
    series = Series()
    with Stand() as stand:
        paths = {system: files(stand, binary, system, disks, size_mib) for system in SYSTEMS}
        for _ in range(rounds):
            for jobs in steps:
                for system in SYSTEMS:
                    chosen = [paths[system][job % disks] for job in range(jobs)]
                    result = fio.run(chosen, WORKLOAD, seconds, size_mib)
                    series.add(system, jobs, result["iops"])
    return series


def many_disks(binary, rounds):
    """What 1,000 powered disks of the default size cost: a Series of seconds, and of MiB."""
    seconds, memory = Series(), Series()
    for _ in range(rounds):
        for datapath in PATHS:
            with Stand() as stand:
                begin = time.monotonic()
                mounted = servers.mount_rnullfs(stand, binary, {
                    "nr_devices": MANY, "memory_backed": 1, "datapath": datapath,
                    # Passthrough reserves each disk's full size.
                    "memory_limit": "none", "power": 1})
                seconds.add(datapath, "mount with all", time.monotonic() - begin)
                memory.add(datapath, "proportional", memory_of(mounted)["Pss"] / 1024)
                begin = time.monotonic()
                unmount(mounted.directory)
                seconds.add(datapath, "unmount", time.monotonic() - begin)
            with Stand() as stand:
                mounted = servers.mount_rnullfs(stand, binary, {
                    "nr_devices": 0, "memory_backed": 1, "datapath": datapath,
                    "memory_limit": "none"})
                begin = time.monotonic()
                for number in range(MANY):
                    disk = mounted.directory / f"disk{number}"
                    disk.mkdir()
                    (disk / "power").write_text("1\n", encoding="ascii")
                seconds.add(datapath, "mkdir and power", time.monotonic() - begin)
    return seconds, memory


def memory_of(mounted):
    """The daemon's memory in KiB, by the names in smaps_rollup, and VmPTE, its page tables."""
    process = pathlib.Path("/proc", str(mounted.status()["worker_pid"]))
    text = ((process / "smaps_rollup").read_text(encoding="ascii")
            + (process / "status").read_text(encoding="ascii"))
    return {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}


def overhead(binary, steps_gib):
    """The daemon's memory for so many stored GiB, in MiB beyond that for an empty disk: a Series
    with a row for each path and part.  The disk's pages are shared memory, the daemon's own are
    anonymous or of files."""
    series = Series()
    for datapath in PATHS:
        with Stand() as stand:
            mounted = mount(stand, binary, datapath, 1, steps_gib[-1] << 10)
            empty = memory_of(mounted)
            for gib in steps_gib:
                # Twice: the daemon may map a page only when it meets it again, and pays then.
                for _ in range(2):
                    fio.fill([mounted.disk()], gib << 10)
                now = memory_of(mounted)
                growth = {name: (now[name] - empty[name]) / 1024 for name in now if name in empty}
                series.add(f"{datapath}, own pages", f"{gib} GiB",
                           growth["Pss_Anon"] + growth["Pss_File"])
                series.add(f"{datapath}, page tables", f"{gib} GiB", growth["VmPTE"])
                series.add(f"{datapath}, disk's pages mapped", f"{gib} GiB", growth["Pss_Shmem"])
    return series


def populate(binary, rounds, size_mib):
    """GiB/s of the first write of an empty disk, 1 MiB at a time: a Series."""
    series = Series()
    for _ in range(rounds):
        for depth in (1, 8):
            for system in SYSTEMS:
                with Stand() as stand:
                    path = (servers.tmpfs(stand, size_mib).path if system == "tmpfs"
                            else mount(stand, binary, system, 1, size_mib).disk())
                    series.add(system, f"depth {depth}",
                               fio.fill([path], size_mib, depth) / (1 << 30))
    return series


def measure(binary, arguments):
    """Yields (key for JSON, heading, Series); prints what this machine cannot measure."""
    rounds, seconds = arguments.rounds, arguments.seconds
    steps_gib = (1, 2) if arguments.quick else (1, 2, 4)

    def many():
        times, memory = many_disks(binary, rounds)
        yield "many_disks_s", f"{MANY} powered disks: seconds", times
        yield "many_disks_mib", f"{MANY} powered disks: the daemon's memory in MiB", memory

    parts = (
        lambda: [("jobs", "Requests a second by jobs on one disk, " + WORKLOAD.title,
                  iops(binary, rounds, seconds, JOBS, 1, JOBS_SIZE_MIB))],
        lambda: [("disks", "Requests a second by disks with one job each",
                  iops(binary, rounds, seconds, DISKS, max(DISKS), DISKS_SIZE_MIB))],
        many,
        lambda: [("overhead_mib", "The daemon's memory in MiB by what is stored, beyond when empty",
                  overhead(binary, steps_gib))],
        lambda: [("populate_gib_per_s", "Filling an empty disk in order, 1 MiB at a time: GiB/s",
                  populate(binary, rounds, 1024))],
    )
    for part in parts:
        try:
            yield from part()
        except Unavailable as reason:
            print(f"\nleft out: {reason}", flush=True)


def main():
    arguments = command_line.parse(command_line.parser(DESCRIPTION, seconds=2), 2, 0.3)
    machine.prepare()
    binary = machine.Binary()
    facts = machine.facts()
    # The most at a time: the disks of three systems.
    command_line.need_memory(len(SYSTEMS) * max(DISKS) * DISKS_SIZE_MIB * 5 // 4)
    results = {}
    for key, heading, series in measure(binary, arguments):
        print(series.table(heading), flush=True)
        results[key] = {"heading": heading, "medians": series.medians(),
                        "rounds_raw": series.values}
    print(f"\nrounds: {arguments.rounds}, of {arguments.seconds:g} s each\n"
          + machine.facts_line(facts))
    path = table.update_results(arguments.output, "scaling", {
        "machine": facts, "rnullfs": binary.version, "rounds": arguments.rounds,
        "seconds": arguments.seconds, **results})
    print(f"written: {path}")
