"""The machine that measures: what it is, what its processors have done, and what it lacks."""

import contextlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

from comparison.stand import Unavailable, command

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Which of Debian's packages has a command.
PACKAGES = {
    "fio": "fio",
    "losetup": "mount",
    "mkfs.xfs": "xfsprogs",
    "nbdfuse": "libnbd-bin",
    "nbdkit": "nbdkit",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
}


def processor_seconds():
    """What all processors have spent busy since boot, in seconds: user and system time, interrupts
    included; not what was idle, waited for I/O, or was taken by the hypervisor."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = ticks[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def available_mib():
    """Memory that can be had without swapping, in MiB."""
    return _field("/proc/meminfo", r"MemAvailable: +(\d+) kB", int) // 1024


def _field(path, pattern, convert=str):
    match = re.search(pattern, pathlib.Path(path).read_text(encoding="utf-8"), re.M)
    return convert(match.group(1)) if match else None


def _setting(path):
    """The content of a file in /sys; of "always [never]" only what is chosen.  None without it."""
    try:
        text = pathlib.Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    chosen = re.search(r"\[(.*?)\]", text)
    return chosen.group(1) if chosen else text


def facts():
    """What a reader must know of the machine to judge figures, as a dict for JSON."""
    return {
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "cpu_model": _field("/proc/cpuinfo", r"^model name\s*: (.*)$"),
        "memory_mib": _field("/proc/meminfo", r"MemTotal: +(\d+) kB", int) // 1024,
        "fio": command("fio", "--version"),
        "shmem_enabled": _setting("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "enable_uring": _setting("/sys/module/fuse/parameters/enable_uring"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def facts_line(known):
    """The same in a line of text."""
    return (f"{known['cores']} cores of {known['cpu_model']}, {known['memory_mib']} MiB, Linux "
            f"{known['kernel']}, {known['fio']}, shmem_enabled={known['shmem_enabled']}, fuse "
            f"enable_uring={known['enable_uring']}, load {known['load_before']} before")


def install(*programs):
    """Installs what is missing of `programs`, as far as apt can; what is missing still is for the
    user of the program to find out."""
    missing = sorted({PACKAGES[name] for name in programs if not shutil.which(name)})
    if not missing or not shutil.which("apt-get"):
        return
    print(f"installing {' '.join(missing)}", flush=True)
    # One by one: a package that the archive does not have must not keep the others away.
    subprocess.run(["apt-get", "update"], capture_output=True, check=False)
    for package in missing:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package],
                       capture_output=True, check=False, stdin=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def prepare(*programs):
    """What every benchmark needs before it begins: root, these programs, loop devices, FUSE."""
    if os.geteuid() != 0:
        sys.exit("this takes root: it mounts, and attaches loop devices")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    install("fio", "losetup", *programs)
    for module in ("fuse", "loop"):
        with contextlib.suppress(Unavailable):  # it may be built in, or there be no modprobe
            command("modprobe", "-q", module)
    if not shutil.which("fio"):
        sys.exit("fio is missing, and apt-get could not install it")


class Binary:
    """The rnullfs to measure: $RNULLFS, else build/rnullfs, built when it is not there."""

    def __init__(self):
        self.path = pathlib.Path(os.environ.get("RNULLFS", ROOT / "build/rnullfs")).resolve()
        if not self.path.exists():
            if subprocess.run([ROOT / "scripts/build"], check=False).returncode != 0:
                sys.exit("scripts/build failed")
        self.version = command(self.path, "--version")
        self._help = command(self.path, "--help")

    def knows(self, option):
        """Whether it has a mount option of this name."""
        return re.search(rf"^\s+{re.escape(option)}=", self._help, re.M) is not None

    def need(self, *options):
        """Unavailable unless it has all these mount options."""
        for option in options:
            if not self.knows(option):
                raise Unavailable(f"this rnullfs has no option {option}")
