"""bench/past: disks that begin as another one."""

import json
import os
import time

from comparison import fio, servers
from comparison.figures import rotated
from comparison.past_disks import (MIB, PAGE, READS, SIZE_MIB, Device, Figures, mount, opened,
                                   seconds_of)
from comparison.scaling import memory_of
from comparison.stand import Stand, Unavailable


class Clone(Device):
    """A disk that begins as `origin`, powered."""

    # pylint: disable-next=super-init-not-called
    def __init__(self, mounted, name, origin):
        self.mounted, self.size_mib = mounted, SIZE_MIB
        self.directory = mounted.directory / name
        self.directory.mkdir()
        self.path = self.directory / "disk"
        if not (self.directory / "origin").exists():
            raise Unavailable("this rnullfs has no origin")
        self.put("config.json", json.dumps({"origin": str(origin), "discard": True,
                                            "datapath": "daemon"}))
        self.power_on_s = seconds_of(lambda: self.put("power", 1))

    def remove(self):
        self.directory.rmdir()


def prepared(mounted):
    """A disk that is full, and has a snapshot."""
    device = Device(mounted, "prepared").fill()
    device.snapshot("clean")
    return device


def image_of(stand, device):
    """A raw image on tmpfs with the disk's contents."""
    image = servers.tmpfs(stand, device.size_mib).path
    with opened(device.path, os.O_RDONLY) as disk, opened(image) as file:
        for at in range(0, device.size_mib * MIB, MIB):
            os.pwrite(file, os.pread(disk, MIB, at), at)
    return image


def thousand_clones(binary, arguments):
    """Very many clones of a snapshot: made, switched on, and removed."""
    figures = Figures()
    count = 100 if arguments.quick else 1000
    with Stand() as stand:
        mounted = mount(stand, binary)
        prepared(mounted)
        Clone(mounted, "first", "prepared@clean").remove()

        def descriptors():
            return len(os.listdir(f"/proc/{mounted.status()['worker_pid']}/fd"))

        before, before_open = memory_of(mounted)["Pss_Anon"], descriptors()
        used = mounted.status()["memory_used"]
        begin = time.monotonic()
        clones = [Clone(mounted, f"c{number}", "prepared@clean") for number in range(count)]
        row = f"{count} clones"
        figures.add(row, "made and on, s", time.monotonic() - begin)
        taken = sorted(clone.power_on_s * 1e3 for clone in clones)
        figures.add(row, "power-on, ms", taken[count // 2])
        figures.add(row, "longest, ms", taken[-1])
        figures.add(row, "daemon, KiB each", (memory_of(mounted)["Pss_Anon"] - before) / count)
        figures.add(row, "stored, KiB each",
                    (mounted.status()["memory_used"] - used) / 1024 / count)
        figures.add(row, "descriptors each", (descriptors() - before_open) / count)
        figures.add(row, "rmdir of all, s",
                    seconds_of(lambda: [clone.remove() for clone in clones]))
    return f"Very many clones of a disk of {SIZE_MIB} MiB that is full", figures, None


def clone_reading(binary, arguments):
    """Clones by how much of them is shared, and the disk itself."""
    figures = Figures()
    with Stand() as stand:
        mounted = mount(stand, binary)
        disk = prepared(mounted)
        half = Clone(mounted, "half", "prepared@clean")
        half.write_pages(range(0, SIZE_MIB * MIB // PAGE, 2))
        paths = {"the disk": disk.path,
                 "a clone, all of it shared": Clone(mounted, "shared", "prepared@clean").path,
                 "a clone, every other page its own": half.path,
                 "a clone, all of it its own": Clone(mounted, "own", "prepared@clean").fill().path,
                 "a clone of an image on tmpfs":
                     Clone(mounted, "image", image_of(stand, disk)).path}
        for number in range(arguments.rounds):
            for workload in READS:
                for row in rotated(list(paths), number, arguments.rounds):
                    result = fio.run([paths[row]], workload, arguments.seconds, SIZE_MIB)
                    figures.add(row, workload.name, result["iops"])
    return ("Reads of clones: requests a second, 4 KiB random and 1 MiB in order", figures,
            "the disk")


def clone_writing(binary, arguments):
    """Every page once, in random order: of a disk that has it, of an empty one, and of a clone."""
    figures = Figures()
    with Stand() as stand:
        mounted = mount(stand, binary)
        prepared(mounted)
        overwritten = Device(mounted, "overwritten").fill()
        for number in range(arguments.rounds):
            for depth in (1, 32):
                column = f"depth {depth}"
                for row in rotated(["overwrite", "an empty disk", "a clone"], number,
                                   arguments.rounds):
                    if row == "overwrite":
                        figures.add(row, column,
                                    fio.each_page_once(overwritten.path, SIZE_MIB, depth))
                        continue
                    device = (Device(mounted, "new") if row == "an empty disk"
                              else Clone(mounted, "new", "prepared@clean"))
                    figures.add(row, column, fio.each_page_once(device.path, SIZE_MIB, depth))
                    if row == "a clone":
                        figures.add("a clone, the second time", column,
                                    fio.each_page_once(device.path, SIZE_MIB, depth))
                    device.directory.rmdir()
    return ("Every page once in random order, 4 KiB, clones: requests a second", figures,
            "overwrite")


def standing_alone(binary, arguments):
    """Copies of all that is shared, while nothing else is done."""
    figures = Figures()
    with Stand() as stand:
        mounted = mount(stand, binary)
        origins = {"of a disk": "prepared@clean", "of an image on tmpfs": None}
        origins["of an image on tmpfs"] = image_of(stand, prepared(mounted))
        for _ in range(arguments.rounds):
            for row, origin in origins.items():
                clone = Clone(mounted, "alone", origin)
                figures.add(row, "MiB/s",
                            SIZE_MIB / seconds_of(lambda c=clone: c.put("origin", "")))
                clone.remove()
    return "A clone stands alone", figures, None


PARTS = (thousand_clones, clone_reading, clone_writing, standing_alone)
