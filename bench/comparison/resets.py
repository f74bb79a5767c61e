"""Test disks that are prepared once and reset again and again: rnullfs, and what else does it.

Each way has a disk of SIZE_MIB, full; before each reset CHANGED of its pages are overwritten, at
random, which is not timed.  Files lie on tmpfs.
"""

import json
import os
import pathlib
import random
import time

from comparison import fio, servers
from comparison.stand import Stand, Unavailable, command

PAGE = 4096
SIZE_MIB = 256
CHANGED = 1000


def times(arguments):
    return 10 if arguments.quick else 1000


def write_pages(path, pages):
    disk = os.open(path, os.O_RDWR)
    for page in pages:
        os.pwrite(disk, os.urandom(PAGE), page * PAGE)
    os.close(disk)


class Rnullfs:
    """A snapshot, and rollback to it."""

    def __init__(self, stand, binary):
        self.directory = servers.mount_rnullfs(stand, binary, {"nr_devices": 0}).directory / "disk"

    def prepare(self):
        self.directory.mkdir()
        (self.directory / "config.json").write_text(json.dumps({
            "size": SIZE_MIB, "memory_backed": True, "datapath": "daemon", "power": True}))
        if not (self.directory / "rollback").exists():
            raise Unavailable("this rnullfs has no rollback")
        fio.fill([self.directory / "disk"], SIZE_MIB)
        (self.directory / "snapshots/clean").mkdir()

    def change(self, pages):
        write_pages(self.directory / "disk", pages)

    def reset(self):
        (self.directory / "rollback").write_text("clean\n")


class Copy:
    """A raw image on tmpfs, copied."""

    def __init__(self, stand, _binary, *words):
        self.words = words
        self.image = self._room(stand) / "image"
        self.disk = self.image.with_name("disk")

    def _room(self, stand):
        return servers.tmpfs(stand, 4 * SIZE_MIB).path.parent

    def prepare(self):
        with open(self.image, "wb") as file:
            file.truncate(SIZE_MIB << 20)
        fio.fill([self.image], SIZE_MIB)
        self.reset()

    def change(self, pages):
        write_pages(self.disk, pages)

    def reset(self):
        command("cp", *self.words, self.image, self.disk)


class Reflink(Copy):
    """The same on xfs, which shares what is copied; on a loop device on tmpfs."""

    def __init__(self, stand, binary):
        super().__init__(stand, binary, "--reflink=always")

    def _room(self, stand):
        device = stand.loop(servers.tmpfs(stand, 4 * SIZE_MIB).path, direct=False)
        command("mkfs.xfs", "-q", "-m", "reflink=1", device)
        directory = stand.directory("xfs")
        stand.mount(directory, "mount", "-t", "xfs", device, directory)
        return directory


class Qcow2:
    """A qcow2 image on tmpfs with a snapshot inside, which is applied."""

    def __init__(self, stand, _binary):
        self.directory = servers.tmpfs(stand, 4 * SIZE_MIB).path.parent
        self.disk = self.directory / "disk.qcow2"

    def prepare(self):
        command("qemu-img", "create", "-q", "-f", "qcow2", self.disk, f"{SIZE_MIB}M")
        command("qemu-io", "-f", "qcow2", "-c", f"write -P 1 0 {SIZE_MIB}M", self.disk)
        command("qemu-img", "snapshot", "-c", "clean", self.disk)

    def change(self, pages):
        words = [word for page in pages for word in ("-c", f"write -P 2 {page * PAGE} {PAGE}")]
        command("qemu-io", "-f", "qcow2", *words, self.disk)

    def reset(self):
        command("qemu-img", "snapshot", "-a", "clean", self.disk)


class Overlay(Qcow2):
    """A qcow2 image on a raw one, which is made anew."""

    def prepare(self):
        self.image = self.directory / "image"
        with open(self.image, "wb") as file:
            file.truncate(SIZE_MIB << 20)
        fio.fill([self.image], SIZE_MIB)
        self.reset()

    def reset(self):
        command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.image, self.disk)


class DeviceMapper:
    """The kernel's dm-snapshot on loop devices, made anew."""

    NAME = "rnullfs-bench-snapshot"

    def __init__(self, stand, _binary):
        if "device-mapper" not in pathlib.Path("/proc/misc").read_text(encoding="ascii"):
            raise Unavailable("this kernel has no device mapper")
        if "snapshot" not in command("dmsetup", "targets"):
            raise Unavailable("this kernel has no dm-snapshot")
        self.origin, self.changes = (stand.loop(servers.tmpfs(stand, SIZE_MIB).path, direct=False)
                                     for _ in range(2))
        stand.callback(self._remove)

    def _remove(self):
        command("dmsetup", "remove", "--retry", self.NAME)

    def _make(self):
        with open(self.changes, "wb") as device:
            device.write(bytes(PAGE))  # what says that there are changes
            os.fsync(device.fileno())
        command("dmsetup", "create", self.NAME, "--table",
                f"0 {SIZE_MIB << 11} snapshot {self.origin} {self.changes} N 8")

    def prepare(self):
        fio.fill([self.origin], SIZE_MIB)
        self._make()

    def change(self, pages):
        write_pages(f"/dev/mapper/{self.NAME}", pages)

    def reset(self):
        self._remove()
        self._make()


WAYS = {
    "rnullfs, rollback": Rnullfs,
    "qcow2, qemu-img snapshot -a": Qcow2,
    "qcow2 overlay, qemu-img create": Overlay,
    "xfs, cp --reflink": Reflink,
    "dm-snapshot": DeviceMapper,
    "tmpfs, cp": Copy,
}


def available(ways, stand, binary, prepare):
    """(what `ways` make, by name, each of which `prepare(name, made)` has got ready; why others are
    left out)"""
    made, left_out = {}, {}
    for name, way in ways.items():
        try:
            each = way(stand, binary)
            prepare(name, each)
            made[name] = each
        except Unavailable as reason:
            left_out[name] = str(reason)
    return made, left_out


def measure(binary, arguments, figures):
    """Adds to `figures` for each way seconds to prepare it and ms of a reset; returns why some are
    left out.  Resets of all ways are interleaved."""
    chance = random.Random(1)

    def prepare(name, way):
        begin = time.monotonic()
        way.prepare()
        figures.add(name, "prepare, s", time.monotonic() - begin)

    with Stand() as stand:
        ways, left_out = available(WAYS, stand, binary, prepare)
        for _ in range(times(arguments)):
            for name, way in ways.items():
                way.change(chance.sample(range(SIZE_MIB << 8), CHANGED))
                begin = time.monotonic()
                way.reset()
                figures.add(name, "reset, ms", (time.monotonic() - begin) * 1e3)
    return left_out
