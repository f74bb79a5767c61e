"""bench/latency: what a request takes beyond the time that completion_nsec asks for."""

import re
import subprocess
import sys

from comparison import command_line, fio, machine, servers, table
from comparison.figures import spread
from comparison.stand import Stand, Unavailable, command

DESCRIPTION = """\
Measures how exactly a disk's configured completion time is kept: the latency that fio sees, less
completion_nsec, at the 50th, 99th and 99.9th percentile and several queue depths; on the disk's
file and through a loop device with direct I/O.

Beside it: nbdkit's delay filter behind nbdfuse, which counts in whole milliseconds; a bare
clock_nanosleep(); and the device without FUSE (bench/latency_bench.cc, built in build-bench).
Rounds are interleaved, figures are their medians.  Prints a table and writes performance.json.
"""

TIMES_NSEC = (10_000, 50_000, 100_000, 1_000_000)
DEPTHS = (1, 32, 128)
SIZE_MIB = 64
NBD_STEP_NSEC = 1_000_000

# What fio measures; the order of the rows.
FILE, LOOP, NBD_FILE, NBD_LOOP = (
    "rnullfs, file", "rnullfs, loop direct-io", "nbdfuse + delay, file", "nbdfuse + delay, loop")
BARE, DEVICE = "clock_nanosleep", "device"

BUILD = """
. scripts/lib.sh
install_build_packages
install_packages $(missing_packages <<<'libbenchmark-dev module benchmark')
choose_libfuse auto "$root/build"
configure "$root/build-bench" "-Dlibfuse=$libfuse" -Dbench=true
compile "$root/build-bench" bench/latency_bench
"""


class Errors:
    """Latency beyond what was asked for, in us: values[nsec][row][depth][percentile] has a figure
    for each round."""

    def __init__(self):
        self.values = {}

    def add(self, nsec, row, depth, percentiles_us):
        cell = self.values.setdefault(nsec, {}).setdefault(row, {}).setdefault(depth, {})
        for percentile, value in percentiles_us.items():
            cell.setdefault(percentile, []).append(round(value, 1))

    def medians(self):
        return {nsec: {row: {depth: {percentile: spread(values)["median"]
                                     for percentile, values in cell.items()}
                             for depth, cell in depths.items()}
                       for row, depths in rows.items()}
                for nsec, rows in self.values.items()}


def measure_fio(errors, row, path, nsec, seconds):
    for depth in DEPTHS:
        workload = fio.Workload("latency", "latency", "randread", depth=depth)
        result = fio.run([path], workload, seconds, SIZE_MIB)
        errors.add(nsec, row, depth, {percentile: (value - nsec) / 1000
                                      for percentile, value in result["latency_ns"].items()})


def measure_disk(stand, errors, disk, rows, nsec, seconds):
    """`disk` through its file and a loop device, as the two `rows`."""
    fio.fill([disk.path], SIZE_MIB)
    measure_fio(errors, rows[0], disk.path, nsec, seconds)
    measure_fio(errors, rows[1], stand.loop(disk.path, direct=True), nsec, seconds)


def measure_device(errors, program, nsec, seconds):
    """latency_bench, with as many requests as take about `seconds` one at a time."""
    requests = min(50_000, max(1000, int(seconds * 1e9 / (nsec + 60_000))))
    pattern = re.compile(r"^(.*), (\d+) in flight: late by "
                         r"p50 (\S+) us, p99 (\S+) us, p99\.9 (\S+) us", re.M)
    for row, depth, *late in pattern.findall(command(program, nsec, requests)):
        errors.add(nsec, row, int(depth), dict(zip(map(str, fio.PERCENTILES), map(float, late),
                                                   strict=True)))


def rnullfs(stand, binary, nsec):
    options = {"irqmode": 2, "completion_nsec": nsec}
    # More requests at once than the hardware queue has room for would wait for a place.
    if binary.knows("hw_queue_depth"):
        options["hw_queue_depth"] = max(DEPTHS)
    return servers.rnullfs(stand, binary, SIZE_MIB, "daemon", extra=options)


def nbdkit_delay(stand, nsec):
    milliseconds = nsec // NBD_STEP_NSEC
    return servers.nbdfuse(stand, SIZE_MIB, "--filter=delay", after=(
        f"rdelay={milliseconds}ms", f"wdelay={milliseconds}ms"))


def build_device_bench():
    """The path of latency_bench."""
    if subprocess.run(["bash", "-c", BUILD], cwd=machine.ROOT, check=False).returncode != 0:
        raise Unavailable("latency_bench could not be built")
    return machine.ROOT / "build-bench/bench/latency_bench"


def attempts(binary, program, errors, nsec, seconds):
    """(name, function of a Stand) of everything that is measured for one time."""
    def ours(stand):
        measure_disk(stand, errors, rnullfs(stand, binary, nsec), (FILE, LOOP), nsec, seconds)

    def peer(stand):
        if nsec % NBD_STEP_NSEC:
            raise Unavailable("nbdkit's delay filter counts in whole milliseconds")
        measure_disk(stand, errors, nbdkit_delay(stand, nsec), (NBD_FILE, NBD_LOOP), nsec, seconds)

    def device(_stand):
        if program is None:
            raise Unavailable("latency_bench could not be built")
        measure_device(errors, program, nsec, seconds)

    return (("rnullfs", ours), ("nbdfuse + delay", peer), ("device and clock_nanosleep", device))


def rows_of(medians):
    """The table: a line for each time and row, a column for each depth and percentile."""
    yield ["us beyond completion_nsec", *(f"qd{depth} p{percentile}" for depth in DEPTHS
                                          for percentile in fio.PERCENTILES)]
    for nsec, rows in medians.items():
        yield [f"{nsec // 1000} us", *[""] * (len(DEPTHS) * len(fio.PERCENTILES))]
        for row in (FILE, LOOP, NBD_FILE, NBD_LOOP, BARE, DEVICE):
            if row in rows:
                yield [f"  {row}", *(f"{rows[row][depth][str(percentile)]:.1f}"
                                     if depth in rows[row] else "-"
                                     for depth in DEPTHS for percentile in fio.PERCENTILES)]


def main():
    arguments = command_line.parse(command_line.parser(DESCRIPTION, seconds=2), 2, 0.3)
    machine.prepare("nbdfuse", "nbdkit")
    binary = machine.Binary()
    facts = machine.facts()
    try:
        program = build_device_bench()
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        program = None
    errors, left_out = Errors(), {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", flush=True)
        for nsec in TIMES_NSEC:
            for name, attempt in attempts(binary, program, errors, nsec, arguments.seconds):
                try:
                    with Stand() as stand:
                        attempt(stand)
                except Unavailable as reason:
                    left_out[f"{name} at {nsec // 1000} us"] = str(reason)
    medians = errors.medians()
    print(table.section("Error added to the configured time", list(rows_of(medians))))
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    print(machine.facts_line(facts))
    path = table.update_results(arguments.output, "latency", {
        "machine": facts, "rnullfs": binary.version, "rounds": arguments.rounds,
        "seconds": arguments.seconds, "left_out": left_out,
        "error_us": medians, "rounds_raw": errors.values})
    print(f"written: {path}")
