"""The memory disks that are compared: rnullfs, and what a user could take instead.

Each function starts one on a Stand and returns a Disk whose `path` is a file, or for zram a block
device, of `size_mib` MiB.  Unavailable says what is missing, or that the disk is not what it was
asked to be.  All of them give their memory back when the stand is left.
"""

import contextlib
import dataclasses
import json
import pathlib

from comparison.stand import Unavailable, command, unmount, wait_until


@dataclasses.dataclass
class Disk:
    """A disk, and for the record how it was made."""
    path: pathlib.Path
    size_mib: int
    made_by: str


class Mount:
    """A mount of rnullfs."""

    def __init__(self, directory):
        self.directory = directory

    def status(self):
        return json.loads((self.directory / "status.json").read_text(encoding="utf-8"))

    def statistics(self, number=0):
        return json.loads((self.directory / f"rnullb{number}/stats.json").read_text("utf-8"))

    def disk(self, number=0):
        return self.directory / f"rnullb{number}/disk"


def allow_uring(stand):
    """Lets new mounts use io_uring, as long as the stand is there."""
    switch = pathlib.Path("/sys/module/fuse/parameters/enable_uring")
    if not switch.exists():
        raise Unavailable("this kernel has no FUSE over io_uring")
    before = switch.read_text(encoding="ascii")
    if before.strip() != "Y":
        stand.callback(switch.write_text, before, encoding="ascii")
        switch.write_text("Y", encoding="ascii")


def mount_rnullfs(stand, binary, options):
    """Mounts rnullfs with mount options `options`, a dict; returns the Mount, ready to use."""
    binary.need(*options)
    directory = stand.directory("rnullfs")
    words = ",".join(f"{name}={value}" for name, value in options.items())
    stand.mount(directory, binary.path, "-o", words, directory)
    return Mount(directory)


def rnullfs(stand, binary, size_mib, datapath, transport=None, extra=None):
    """A disk whose data path (passthrough or daemon) is the one asked for; so is its transport (dev
    or uring), unless that is None: then rnullfs picks.  `extra` has more mount options."""
    options = {"size": size_mib, "memory_backed": 1}
    # A binary that has no choice of transports is measured all the same when its only one is right.
    if transport and binary.knows("transport"):
        options["transport"] = transport
    if transport == "uring" and binary.knows("guard"):
        options["guard"] = "off"  # which could not save a ring
    options.update(extra or {})
    # power is last: what comes after it would be refused.
    options.update(datapath=datapath, power=1)
    if transport == "uring":
        binary.need("transport")
        allow_uring(stand)
    mount = mount_rnullfs(stand, binary, options)
    check(mount, datapath, transport)
    options["transport"] = mount.status()["transport"]
    return Disk(mount.disk(), size_mib,
                "rnullfs -o " + ",".join(f"{name}={value}" for name, value in options.items()))


def check(mount, datapath, transport):
    """Unavailable unless the mount serves as it was told to."""
    statistics = mount.statistics()
    if statistics["datapath"] != datapath:
        raise Unavailable(f"the data path is {statistics['datapath']}: "
                          f"{statistics['datapath_why']}")
    status = mount.status()
    if transport and status["transport"] != transport:
        raise Unavailable(f"the transport is {status['transport']}"
                          + (f": {status['transport_why']}" if "transport_why" in status else ""))
    with open(mount.disk(), "rb"):
        opens = mount.statistics()["passthrough_opens"]
        if (opens > 0) != (datapath == "passthrough"):
            raise Unavailable(f"{opens} opens of the disk use passthrough")


def tmpfs(stand, size_mib):
    """A sparse file on a tmpfs of its own."""
    directory = stand.directory("tmpfs")
    stand.mount(directory, "mount", "-t", "tmpfs", "-o", f"size={size_mib + 64}m", "tmpfs",
                directory)
    path = directory / "disk"
    with open(path, "wb") as file:
        file.truncate(size_mib << 20)
    return Disk(path, size_mib, "a file on tmpfs")


def zram(stand, size_mib):
    """A zram device of our own, with the compressor the kernel chooses."""
    control = pathlib.Path("/sys/class/zram-control")
    if not control.exists():
        with contextlib.suppress(Unavailable):
            command("modprobe", "zram", "num_devices=0")
    if not control.exists():
        raise Unavailable("this kernel has no zram")
    with stand.whole():
        number = (control / "hot_add").read_text(encoding="ascii").strip()
        stand.callback((control / "hot_remove").write_text, number, encoding="ascii")
    settings = pathlib.Path(f"/sys/block/zram{number}")
    (settings / "disksize").write_text(f"{size_mib}M", encoding="ascii")
    stand.callback((settings / "reset").write_text, "1", encoding="ascii")
    return Disk(pathlib.Path(f"/dev/zram{number}"), size_mib,
                "zram, " + (settings / "comp_algorithm").read_text(encoding="ascii").strip())


def nbdfuse(stand, size_mib, *filters, after=()):
    """nbdkit's memory plugin behind nbdfuse; `filters` are nbdkit's words for them, and `after` are
    the filters' parameters."""
    path = stand.directory("nbdfuse") / "disk"
    path.touch()
    # With a socket, and not nbdkit's standard input, nbdfuse opens several connections.
    words = ["nbdfuse", path, "--socket-activation", "nbdkit", "--exit-with-parent",
             *filters, "memory", f"{size_mib}M", *after]
    return _serve(stand, path, size_mib, words)


def qemu(stand, size_mib):
    """qemu-storage-daemon's FUSE export of a raw file on tmpfs."""
    image = tmpfs(stand, size_mib).path
    path = stand.directory("qemu") / "disk"
    path.touch()
    words = ["qemu-storage-daemon",
             "--blockdev", f"driver=file,node-name=disk,filename={image}",
             "--export", f"type=fuse,id=disk,node-name=disk,mountpoint={path},writable=on"]
    return _serve(stand, path, size_mib, words)


def _serve(stand, path, size_mib, words):
    """Starts a server that mounts itself over the file `path`, and waits until it has."""
    process = None
    try:
        process = stand.process(*words)
    except FileNotFoundError as error:
        raise Unavailable(f"{error.filename} is not installed") from None
    # Before the process is ended: an nbdfuse that is killed while it is mounted leaves the mount.
    stand.callback(unmount, path)
    wait_until(lambda: process.poll() is not None or path.stat().st_size == size_mib << 20)
    if process.poll() is not None:
        log = (stand.scratch / f"{words[0]}.log").read_text(encoding="utf-8", errors="replace")
        raise Unavailable(f"{words[0]}: {(log.strip().splitlines() or ['it ended'])[-1]}")
    if path.stat().st_size != size_mib << 20:
        raise Unavailable(f"{words[0]} did not begin to serve")
    return Disk(path, size_mib, " ".join(str(word).replace(str(stand.scratch), "DIR")
                                         for word in words))
