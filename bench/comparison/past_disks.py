"""What the parts of bench/past share: disks with a past, and their figures."""

import contextlib
import json
import os
import time

from comparison import fio, servers, table
from comparison.figures import ratios, short, spread

PAGE = 4096
MIB = 1 << 20
SIZE_MIB = 256
READS = (fio.Workload("read_qd1", "", "randread"), fio.Workload("read_qd32", "", "randread", depth=32),
         fio.Workload("read_1m", "", "read", MIB, 8))


class Figures:
    """values[row][column] has a figure for each round."""

    def __init__(self):
        self.values = {}

    def add(self, row, column, value):
        self.values.setdefault(row, {}).setdefault(column, []).append(round(value, 4))

    def raw(self):
        """The figures; of very many, percentiles."""
        def some(values):
            return values if len(values) <= 100 else sorted(values)[::len(values) // 100]
        return {row: {column: some(values) for column, values in columns.items()}
                for row, columns in self.values.items()}

    def medians(self):
        return {row: {column: spread(values)["median"] for column, values in columns.items()}
                for row, columns in self.values.items()}

    def compared(self, baseline):
        """The medians of the rounds' ratios to the row `baseline`, of the others."""
        base = self.values[baseline]
        return {row: {column: round(ratios(values, base[column])["median"], 3)
                      for column, values in columns.items()}
                for row, columns in self.values.items() if row != baseline}

    @staticmethod
    def table(heading, rows):
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        return table.section(heading, [["", *columns], *(
            [name, *(short(row[column]) if column in row else "-" for column in columns)]
            for name, row in rows.items())])


class Device:
    """A disk of a mount, powered and served by the daemon."""

    def __init__(self, mounted, name, size_mib=SIZE_MIB, **attributes):
        self.mounted, self.size_mib = mounted, size_mib
        self.directory = mounted.directory / name
        self.directory.mkdir()
        self.path = self.directory / "disk"
        self.put("config.json", json.dumps({
            "size": size_mib, "memory_backed": True, "discard": True, "datapath": "daemon",
            **attributes, "power": True}))

    def put(self, name, value):
        (self.directory / name).write_text(f"{value}\n", encoding="ascii")

    def fill(self):
        fio.fill([self.path], self.size_mib)
        return self

    def snapshot(self, name):
        path = self.directory / "snapshots" / name
        path.mkdir()
        return path

    def statistics(self):
        return json.loads((self.directory / "stats.json").read_text("utf-8"))

    def write_pages(self, pages):
        """Overwrites these, one at a time, each with something else."""
        with opened(self.path) as disk:
            for page in pages:
                os.pwrite(disk, os.urandom(PAGE), page * PAGE)


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR):
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def seconds_of(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def mount(stand, binary):
    return servers.mount_rnullfs(stand, binary, {"nr_devices": 0})
