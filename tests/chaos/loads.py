"""What runs on the disks while their worker is killed.  Each load is a thread that checks what it
does as it goes, and ends when `stop` is set; what went wrong is in its `failure`."""

import ctypes
import hashlib
import os
import random
import subprocess
import threading

MIB = 1 << 20
PAGE = 4096
PUNCH_HOLE, ZERO_RANGE = 3, 0x11  # with FALLOC_FL_KEEP_SIZE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Wrong(Exception):
    """A check that did not hold."""


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(map(str, words))} ended with {done.returncode}: "
                    + (done.stdout + done.stderr).strip()[-2000:])
    return done.stdout.strip()


class Load(threading.Thread):
    """`name` is for people; `seed` makes the load what it is; `rounds` counts what it has done."""

    def __init__(self, name, seed):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed} {name}")
        self.stop = threading.Event()
        self.failure = None
        self.rounds = 0

    def run(self):
        try:
            self.prepare()
            while not self.stop.is_set():
                self.round()
                self.rounds += 1
            self.finish()
        except (OSError, Wrong) as error:
            self.failure = f"after {self.rounds} rounds: {error}"

    def prepare(self):
        pass

    def round(self):
        raise NotImplementedError

    def finish(self):
        pass


class Fio(Load):
    """fio's own verification, write and read, of one file or block device."""

    def __init__(self, path, seed):
        super().__init__(f"fio on {path}", seed)
        self.path = path

    def round(self):
        run("fio", "--name=verified", f"--filename={self.path}", "--rw=randwrite", "--bsrange=4k-64k",
            "--size=24m", "--io_size=48m", "--direct=1", "--ioengine=libaio", "--iodepth=16",
            "--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64", "--verify_state_save=0",
            "--rate=20m", f"--randseed={self.random.getrandbits(31)}")


class Model(Load):
    """Random reads, writes, punched holes and zeroed ranges, against a copy in memory (as fsx does)."""

    SIZE = 8 * MIB

    def __init__(self, path, seed):
        super().__init__(f"a model of {path}", seed)
        self.path = path

    def prepare(self):
        self.disk = os.open(self.path, os.O_RDWR)
        self.model = bytearray(self.SIZE)

    def _range(self):
        length = self.random.randrange(1, 1 << self.random.randrange(1, 18))
        return self.random.randrange(self.SIZE - length), length

    def _expect(self, offset, length):
        got = os.pread(self.disk, length, offset)
        if got == self.model[offset:offset + length]:
            return
        at = next(i for i, byte in enumerate(got) if byte != self.model[offset + i])
        raise Wrong(f"{self.path}: byte {offset + at} is {got[at]}, not {self.model[offset + at]}")

    def round(self):
        offset, length = self._range()
        what = self.random.choice(("read", "read", "write", "write", "punch", "zero"))
        if what == "read":
            self._expect(offset, length)
        elif what == "write":
            data = self.random.randbytes(length)
            self.model[offset:offset + length] = data
            if os.pwrite(self.disk, data, offset) != length:
                raise Wrong(f"{self.path}: a short write")
        else:
            mode = PUNCH_HOLE if what == "punch" else ZERO_RANGE
            self.model[offset:offset + length] = bytes(length)
            if _libc.fallocate(self.disk, mode, offset, length) != 0:
                raise OSError(ctypes.get_errno(), f"{self.path}: {what}")
        self.stop.wait(0.0005)

    def finish(self):
        self._expect(0, self.SIZE)
        os.close(self.disk)


class FileSystem(Load):
    """Files written, synced, read back from the device, and deleted, on a file system that is
    unmounted and checked at the end."""

    CHECK = {"ext4": ("e2fsck", "-fn"), "xfs": ("xfs_repair", "-n")}

    def __init__(self, kind, device, directory, seed):
        super().__init__(f"{kind} on {device}", seed)
        self.kind, self.device, self.directory = kind, device, directory
        self.sums = {}

    def prepare(self):
        run(f"mkfs.{self.kind}", "-q", self.device)
        run("mount", self.device, self.directory)

    def _read(self, name):
        with open(self.directory / name, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if hashlib.sha256(file.read()).digest() != self.sums[name]:
                raise Wrong(f"{self.directory / name} is not what was written")

    def round(self):
        name = f"file{self.random.randrange(12)}"
        data = self.random.randbytes(self.random.randrange(1, 2 * MIB))
        with open(self.directory / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.sums[name] = hashlib.sha256(data).digest()
        self._read(self.random.choice(sorted(self.sums)))
        if len(self.sums) > 8:
            gone = self.random.choice(sorted(self.sums))
            os.unlink(self.directory / gone)
            del self.sums[gone]
        self.stop.wait(0.02)

    def finish(self):
        for name in self.sums:
            self._read(name)
        run("umount", self.directory)
        run(*self.CHECK[self.kind], self.device)


class Control(Load):
    """Devices made, set up, switched on and off and removed: each step must do what it always does."""

    def __init__(self, mount, seed):
        super().__init__("mkdir, config.json, power, rmdir", seed)
        self.mount = mount

    def round(self):
        device = self.mount / "comes-and-goes"
        size = self.random.randrange(1, 64)
        device.mkdir()
        (device / "config.json").write_text(f'{{"memory_backed": true, "size": {size}}}')
        (device / "power").write_text("1")
        if (device / "disk").stat().st_size != size * MIB:
            raise Wrong(f"{device / 'disk'} is not of {size} MiB")
        # Larger at the next power-on, which moves a disk that the kernel has served.
        with open(device / "disk", "r+b", buffering=0) as disk:
            disk.write(b"x" * PAGE)
        (device / "power").write_text("0")
        (device / "config.json").write_text(f'{{"size": {size + 64}, "power": true}}')
        with open(device / "disk", "rb", buffering=0) as disk:
            if disk.read(PAGE + 1) != b"x" * PAGE + b"\0":
                raise Wrong("a disk that grew has lost what was stored")
        (device / "power").write_text("0")
        device.rmdir()
        if device.exists():
            raise Wrong(f"{device} is there after rmdir")
