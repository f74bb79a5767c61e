"""Very many test disks that begin as one which is prepared: rnullfs, and what else does it."""

import json
import random
import time

from comparison import resets
from comparison.stand import Stand, Unavailable


def disks(arguments):
    return 10 if arguments.quick else 100


class Clones(resets.Rnullfs):
    """Clones of a snapshot; one is made anew."""

    def prepare(self):
        super().prepare()
        if not (self.directory / "origin").exists():
            raise Unavailable("this rnullfs has no origin")

    def _clone(self, number):
        return self.directory.parent / f"clone{number}"

    def make(self, number):
        self._clone(number).mkdir()
        (self._clone(number) / "config.json").write_text(json.dumps({
            "origin": "disk@clean", "datapath": "daemon", "power": True}))

    def change_one(self, number, pages):
        resets.write_pages(self._clone(number) / "disk", pages)

    def reset_one(self, number):
        self._clone(number).rmdir()
        self.make(number)


class ClonesRolledBack(Clones):
    """The same, with a snapshot each; one is rolled back to that."""

    def make(self, number):
        super().make(number)
        (self._clone(number) / "snapshots/clean").mkdir()

    def reset_one(self, number):
        (self._clone(number) / "rollback").write_text("clean\n")


class Overlays(resets.Overlay):
    """qcow2 images on one raw image; one is made anew."""

    def make(self, number):
        self.disk = self.directory / f"{number}.qcow2"
        self.reset()

    def change_one(self, number, pages):
        self.disk = self.directory / f"{number}.qcow2"
        self.change(pages)

    def reset_one(self, number):
        self.make(number)


class Reflinks(resets.Reflink):
    """Copies that share; one is made anew."""

    def make(self, number):
        self.disk = self.image.with_name(f"disk{number}")
        self.reset()

    def change_one(self, number, pages):
        resets.write_pages(self.image.with_name(f"disk{number}"), pages)

    def reset_one(self, number):
        self.make(number)


WAYS = {
    "rnullfs, clones made anew": Clones,
    "rnullfs, clones rolled back": ClonesRolledBack,
    "qcow2 overlays, qemu-img create": Overlays,
    "xfs, cp --reflink": Reflinks,
}


def measure(binary, arguments, figures):
    """Adds to `figures` for each way seconds to have all disks, the first being prepared, and ms of
    a reset of one; returns why some are left out.  Resets of all ways are interleaved."""
    chance = random.Random(1)

    def prepare(name, way):
        way.prepare()
        begin = time.monotonic()
        for number in range(disks(arguments)):
            way.make(number)
        figures.add(name, f"{disks(arguments)} disks, s", time.monotonic() - begin)

    with Stand() as stand:
        ways, left_out = resets.available(WAYS, stand, binary, prepare)
        for turn in range(resets.times(arguments)):
            for name, way in ways.items():
                number = turn % disks(arguments)
                way.change_one(number, chance.sample(range(resets.SIZE_MIB << 8), resets.CHANGED))
                begin = time.monotonic()
                way.reset_one(number)
                figures.add(name, "reset, ms", (time.monotonic() - begin) * 1e3)
    return {f"many: {name}": reason for name, reason in left_out.items()}
