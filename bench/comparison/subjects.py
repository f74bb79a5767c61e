"""The rows of the comparison: which disk, and how it is reached.

A disk is started when the first row that wants it is, and shared by its rows: one memory for all
ways to reach it.  Every page of it is stored before the first row is attached.
"""

import dataclasses

from comparison import fio, servers
from comparison.stand import Unavailable

# How a disk is reached: through a loop device with or without the page cache above it, or not.
PLAIN, DIRECT, FILE = "plain", "direct", "file"
MODE_TITLES = {
    PLAIN: "through a loop device with --direct-io=off, the default",
    DIRECT: "through a loop device with --direct-io=on (zram: itself)",
    FILE: "straight on the file, without a loop device",
}


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str     # for --only and in JSON
    title: str    # for the reader; rows of one disk share it
    disk: str     # which of DISKS
    mode: str
    device: bool = False  # the disk is a block device and needs no loop device

    @property
    def baseline(self):
        """The subject it is compared with: tmpfs in the same mode."""
        return f"tmpfs-{self.mode}"


def _modes(name, title, modes):
    return [Subject(f"{name}-{mode}", title, name, mode) for mode in modes]


SUBJECTS = (
    *_modes("tmpfs", "tmpfs", (PLAIN, DIRECT, FILE)),
    *_modes("passthrough", "rnullfs, passthrough", (PLAIN, DIRECT, FILE)),
    *_modes("dev", "rnullfs, daemon, /dev/fuse", (PLAIN, DIRECT, FILE)),
    *_modes("uring", "rnullfs, daemon, io_uring", (PLAIN, DIRECT)),
    Subject("zram", "zram", "zram", DIRECT, device=True),
    *_modes("nbdfuse", "nbdfuse + nbdkit memory", (PLAIN, DIRECT)),
    *_modes("qemu", "qemu-storage-daemon", (DIRECT,)),
)


def chosen(names):
    """The subjects of these names, or of the disks of these names, and their baselines.  None: all.
    KeyError has the name that nothing answers to."""
    if names is None:
        return list(SUBJECTS)
    wanted = set()
    for name in names:
        found = [subject for subject in SUBJECTS if name in (subject.name, subject.disk)]
        if not found:
            raise KeyError(name)
        for subject in found:
            wanted |= {subject.name, subject.baseline}
    return [subject for subject in SUBJECTS if subject.name in wanted]


class Disks:
    """The disks of one run, started as they are needed.

    `extra` are further mount options for rnullfs."""

    def __init__(self, stand, binary, size_mib, extra):
        self.stand = stand
        self._started = {}
        self._starters = {
            "tmpfs": lambda: servers.tmpfs(stand, size_mib),
            "passthrough": lambda: servers.rnullfs(stand, binary, size_mib, "passthrough",
                                                   extra=extra),
            "dev": lambda: servers.rnullfs(stand, binary, size_mib, "daemon", "dev", extra),
            "uring": lambda: servers.rnullfs(stand, binary, size_mib, "daemon", "uring", extra),
            "zram": lambda: servers.zram(stand, size_mib),
            "nbdfuse": lambda: servers.nbdfuse(stand, size_mib),
            "qemu": lambda: servers.qemu(stand, size_mib),
        }

    def _start(self, name):
        try:
            disk = self._starters[name]()
            fio.fill([disk.path], disk.size_mib)
            return disk
        except Unavailable as reason:
            return reason

    def get(self, name):
        """The disk of this name, every page of it stored; or Unavailable, each time."""
        if name not in self._started:
            self._started[name] = self._start(name)
        disk = self._started[name]
        if isinstance(disk, Unavailable):
            raise disk
        return disk

    def reach(self, subject):
        """The path on which fio is to measure `subject`."""
        disk = self.get(subject.disk)
        if subject.device or subject.mode == FILE:
            return disk.path
        return self.stand.loop(disk.path, subject.mode == DIRECT)

    def made_by(self):
        """How each disk was made, for the record."""
        return {name: disk.made_by for name, disk in self._started.items()
                if not isinstance(disk, Unavailable)}
