"""Runs of fio, and what they say."""

import dataclasses
import json
import os
import subprocess

from comparison.machine import processor_seconds
from comparison.stand import Unavailable

PERCENTILES = (50, 99, 99.9)


@dataclasses.dataclass(frozen=True)
class Workload:
    """What fio does; `name` is short, `title` for people.  `extra` are further words for fio."""
    name: str
    title: str
    rw: str
    block_bytes: int = 4096
    depth: int = 1
    extra: tuple = ()


def takes_direct(path):
    """Whether `path` can be opened with O_DIRECT: tmpfs refuses it before Linux 6.6."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def _words(job, path, workload, size_mib):
    return [f"--name=job{job}", f"--filename={path}", f"--size={size_mib}m",
            f"--rw={workload.rw}", f"--bs={workload.block_bytes}", f"--iodepth={workload.depth}",
            f"--direct={takes_direct(path):d}", "--ioengine=libaio", "--thread",
            # Other offsets in each run, and no map of those done: it would cost more than the disk.
            "--randrepeat=0", "--norandommap", "--random_generator=tausworthe64",
            *workload.extra]


def _run(words):
    """fio's report of the group of all jobs, as its JSON has it."""
    # In a session of its own, so that a Ctrl-C is for us alone; run() kills it on any exception.
    done = subprocess.run(["fio", "--output-format=json", "--eta=never", "--disk_util=0",
                           "--group_reporting", *words], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, start_new_session=True)
    # Warnings may stand before the report.
    begin = done.stdout.find("{")
    report = json.loads(done.stdout[begin:])["jobs"][0] if begin >= 0 else {"error": "no report"}
    if done.returncode != 0 or report["error"]:
        complaint = (done.stderr.strip() or done.stdout[:begin].strip()).splitlines()
        raise Unavailable(f"fio: {(complaint or [report['error']])[-1]}")
    return report


def run(paths, workload, seconds, size_mib):
    """Runs `workload` for `seconds` on the first `size_mib` MiB of each of `paths`, one job each,
    all at the same time (a path given twice gets two jobs).

    Returns a dict: requests and bytes a second of all together, the time from submission to
    completion in ns by percentile and the longest, and what 100,000 requests cost the whole machine in processor
    seconds: fio, the daemons and the kernel's threads."""
    shared = ["--time_based", f"--runtime={round(seconds * 1000)}ms", "--lat_percentiles=1",
              "--clat_percentiles=0", f"--percentile_list={':'.join(map(str, PERCENTILES))}"]
    jobs = [word for number, path in enumerate(paths)
            for word in _words(number, path, workload, size_mib)]
    before = processor_seconds()
    report = _run(shared + jobs)
    spent = processor_seconds() - before
    sides = [report[side] for side in ("read", "write") if report[side]["total_ios"]]
    requests = sum(side["total_ios"] for side in sides)
    if not requests:
        raise Unavailable("fio did nothing in its time")
    return {
        "iops": round(sum(side["iops"] for side in sides), 1),
        "bytes_per_s": round(sum(side["bw_bytes"] for side in sides)),
        "latency_ns": {name: max(side["lat_ns"]["percentile"][f"{float(name):.6f}"]
                                 for side in sides) for name in map(str, PERCENTILES)},
        "longest_ns": max(side["lat_ns"]["max"] for side in sides),
        "cpu_s_per_100k": round(spent / requests * 100_000, 3),
    }


def fill(paths, size_mib, depth=8):
    """Writes every byte of the first `size_mib` MiB of each of `paths` once, in order, 1 MiB at a
    time, all at the same time; returns bytes per second."""
    workload = Workload("fill", "fill", "write", 1 << 20, depth)
    report = _run([word for number, path in enumerate(paths)
                   for word in _words(number, path, workload, size_mib)])
    if report["write"]["io_bytes"] != len(paths) * size_mib << 20:
        raise Unavailable(f"only {report['write']['io_bytes']} bytes could be stored")
    return report["write"]["bw_bytes"]


def each_page_once(path, size_mib, depth):
    """Overwrites every page of the first `size_mib` MiB of `path` once, in random order; returns
    requests a second."""
    workload = Workload("once", "once", "randwrite", depth=depth)
    words = [word for word in _words(0, path, workload, size_mib) if word != "--norandommap"]
    return _run(words)["write"]["iops"]
