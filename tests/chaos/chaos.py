#!/usr/bin/env python3
"""Kills the worker of a mount, again and again, while everything runs on its disks.

usage: chaos.py [kill|upgrade]      prints TAP; exit status 1 when something went wrong

The seed is printed; CHAOS_SEED sets it, CHAOS_KILLS how many (20).  RNULLFS is the program.  There
must not be one I/O error, lost or stale block, or step that does not do what it always does.  How
long requests waited is said, and decides nothing.
"""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import loads  # pylint: disable=wrong-import-position

RNULLFS = os.environ.get("RNULLFS", pathlib.Path(__file__).resolve().parents[2] / "build/rnullfs")
PATIENCE_S = 20
# Five deaths within ten seconds would be the end.
PAUSE_S = (2.6, 3.6)


class Mount:
    def __init__(self, scratch):
        self.path = scratch / "mnt"
        self.path.mkdir()
        loads.run(RNULLFS, "-o", "nr_devices=0", self.path)
        self.guard = self.status()["guard_pid"]

    def status(self):
        return json.loads((self.path / "status.json").read_text())

    def disk(self, name, datapath, size_mib=64):
        device = self.path / name
        device.mkdir()
        (device / "config.json").write_text(json.dumps(
            {"memory_backed": True, "size": size_mib, "datapath": datapath, "power": True}))
        return device / "disk"

    def replace_worker(self, how):
        """Returns when another one serves."""
        before = self.status()["worker_pid"]
        if how == "upgrade":
            loads.run(RNULLFS, "--upgrade", self.path)
            return
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while self.status()["worker_pid"] == before:
            if time.monotonic() > deadline:
                raise loads.Wrong("no other worker has come")
            time.sleep(0.005)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.guard}/fd"))


class Watch(threading.Thread):
    """How long a simple request takes, over and over."""

    def __init__(self, mount):
        super().__init__(daemon=True)
        self.mount, self.stop, self.waits = mount, threading.Event(), []

    def run(self):
        while not self.stop.wait(0.002):
            began = time.monotonic()
            (self.mount.path / "features").read_text()
            self.waits.append(time.monotonic() - began)

    def worst_ms(self, count):
        return [round(wait * 1000) for wait in sorted(self.waits)[-count:]]


class Chaos:
    def __init__(self, scratch, how):
        self.scratch, self.how = scratch, how
        self.kills = int(os.environ.get("CHAOS_KILLS", "20"))
        self.seed = os.environ.get("CHAOS_SEED", str(random.SystemRandom().getrandbits(32)))
        self.random = random.Random(self.seed)
        self.checks, self.failures = 0, 0
        print(f"# CHAOS_SEED={self.seed} CHAOS_KILLS={self.kills}", flush=True)

    def check(self, what, failure=None):
        self.checks += 1
        self.failures += failure is not None
        print(f"{'not ok' if failure else 'ok'} {self.checks} - {what}")
        for line in str(failure or "").splitlines():
            print(f"#   {line}")
        sys.stdout.flush()

    def loop(self, path, direct):
        device = loads.run("losetup", "--find", "--show", f"--direct-io={direct}", path)
        with open(self.scratch / "loops", "a", encoding="ascii") as loops:
            print(device, file=loops)
        return device

    def all_loads(self, mount):
        for datapath in ("daemon", "auto"):
            yield loads.Fio(mount.disk(f"fio-{datapath}", datapath), self.seed)
            yield loads.Model(mount.disk(f"model-{datapath}", datapath), self.seed)
        yield loads.Fio(self.loop(mount.disk("fio-loop", "daemon"), "on"), self.seed)
        for kind, datapath, direct in (("ext4", "daemon", "on"), ("xfs", "auto", "off"),
                                       ("ext4", "auto", "on"), ("xfs", "daemon", "off")):
            directory = self.scratch / f"{kind}-{datapath}"
            directory.mkdir()
            disk = mount.disk(directory.name, datapath, size_mib=400)
            yield loads.FileSystem(kind, self.loop(disk, direct), directory, self.seed)
        yield loads.Control(mount.path, self.seed)

    def run(self):
        mount = Mount(self.scratch)
        all_loads = list(self.all_loads(mount))
        watch = Watch(mount)
        for load in [*all_loads, watch]:
            load.start()
        time.sleep(2)
        before = mount.descriptors()
        for _ in range(self.kills):
            time.sleep(self.random.uniform(*PAUSE_S))
            mount.replace_worker(self.how)
            if any(load.failure for load in all_loads):
                break
        watch.stop.set()
        for load in all_loads:
            load.stop.set()
        for load in all_loads:
            load.join(6 * PATIENCE_S)
            hangs = "it hangs" if load.is_alive() else None
            self.check(f"{load.name}: {load.rounds} rounds", load.failure or hangs)
        replaced = mount.status()["workers_replaced"]
        self.check(f"{replaced} workers were replaced",
                   None if replaced == self.kills else f"not {self.kills}")
        more = mount.descriptors() - before
        self.check("the guard holds no more than before", f"{more} more" if more > 0 else None)
        print(f"# the longest waits, in ms: {watch.worst_ms(self.kills)}")


def quietly(*words):
    subprocess.run([str(word) for word in words], check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end_mount(scratch):
    """Whoever waits for an answer gets an error."""
    quietly("pkill", "-KILL", "-f", f"rnullfs .*{scratch}/mnt")


def clean_up(scratch, whole):
    """Takes away whatever the run has left in `scratch`; what is gone already is none of its worries.
    Not `whole`: somebody may wait for an answer that never comes, and has to fail first."""
    if not whole:
        end_mount(scratch)
    for directory in scratch.glob("*-*"):
        quietly("umount", directory)
    with contextlib.suppress(OSError):
        for device in (scratch / "loops").read_text().split():
            quietly("losetup", "--detach", device)
    deadline = time.monotonic() + PATIENCE_S / 4
    while os.path.ismount(scratch / "mnt") and time.monotonic() < deadline:
        quietly("umount", scratch / "mnt")
        time.sleep(0.05)
    quietly("umount", "--lazy", scratch / "mnt")
    quietly("rm", "-rf", "--one-file-system", scratch)


def run(chaos):
    """In a process of its own: one that waits for a lost answer can only be killed."""
    try:
        chaos.run()
    except (OSError, loads.Wrong) as error:
        chaos.check("the run", error)
    print(f"1..{chaos.checks}", flush=True)
    os._exit(1 if chaos.failures else 0)  # also with threads that hang


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="rnullfs-chaos."))
    chaos = Chaos(scratch, sys.argv[1] if len(sys.argv) > 1 else "kill")
    child = os.fork()
    if child == 0:
        run(chaos)

    def interrupted(*_):
        end_mount(scratch)  # first: who waits for a device cannot be killed
        os.kill(child, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    clean_up(scratch, whole=status == 0)
    sys.exit(status != 0)


if __name__ == "__main__":
    main()
