#!/usr/bin/env python3
"""Random work on a disk's file and on a model of it: the first difference fails.

usage: fsx.py FILE SEED STEPS

The idea is Apple's fsx.  What a disk has of a file: reads, writes, mappings, punched holes, zeroed
and allocated ranges, and truncation, which empties what lies behind and leaves the size.  Two
descriptors and a mapping stay open throughout; O_TRUNC and truncate(2) come from others.  Nothing
is written past the end, as a write there is ENOSPC here and EPERM there.
"""
import ctypes
import mmap
import os
import random
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PUNCH, ZERO, ALLOCATE = 3, 0x11, 1  # FALLOC_FL_..., all with KEEP_SIZE


class Fsx:
    def __init__(self, path, seed):
        self.random = random.Random(seed)
        self.path = path
        self.fds = [os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)]
        self.size = os.fstat(self.fds[0]).st_size
        self.view = mmap.mmap(self.fds[0], self.size)
        self.model = bytearray(os.pread(self.fds[0], self.size, 0))
        self.log = []

    def range(self, past_end=False):
        """Mostly short, at the beginning half of the time, a page's multiple now and then."""
        below = self.random.choice((self.size, self.size // 16))
        offset = self.random.randrange(below)
        length = 1 + self.random.randrange(self.random.choice((100, 5000, 70000)))
        if self.random.random() < 0.3:
            offset, length = offset & ~4095, (length + 4095) & ~4095
        if past_end and self.random.random() < 0.1:
            offset += self.size - below // 2
        elif not past_end:
            length = min(length, self.size - offset)
        return offset, length

    def fd(self):
        return self.random.choice(self.fds)

    def write(self):
        offset, length = self.range()
        data = self.random.randbytes(length)
        if self.random.random() < 0.3:
            self.view[offset:offset + length] = data
            self.view.flush()
        elif os.pwrite(self.fd(), data, offset) != length:
            raise AssertionError("a short write")
        self.model[offset:offset + length] = data
        return offset, length

    def read(self):
        offset, length = self.range()
        if self.random.random() < 0.5:
            got = os.pread(self.fd(), length, offset)
        else:
            got = self.view[offset:offset + length]
        if got != self.model[offset:offset + length]:
            at = next((i for i, (a, b) in enumerate(zip(got, self.model[offset:])) if a != b), len(got))
            raise AssertionError(f"{length} bytes at {offset} differ from {offset + at} on")
        return offset, length

    def allocate(self, mode):
        offset, length = self.range(past_end=True)
        if LIBC.fallocate(self.fd(), mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
            raise OSError(ctypes.get_errno(), f"fallocate {mode} {offset} {length}")
        end = min(self.size, offset + length)
        if mode != ALLOCATE and offset < end:
            self.model[offset:end] = bytes(end - offset)
        return mode, offset, length

    def truncate(self):
        how = self.random.randrange(4)
        length = 0 if how == 0 else self.size - self.random.randrange(self.size // 2)
        if how == 0:
            os.close(os.open(self.path, os.O_WRONLY | os.O_TRUNC))
        elif how == 1:
            os.truncate(self.path, length)
        else:
            os.ftruncate(self.fd(), length)
        self.model[length:] = bytes(self.size - length)
        if os.fstat(self.fd()).st_size != self.size:
            raise AssertionError("the size has changed")
        return how, length

    def step(self):
        choice = self.random.random()
        if choice < 0.4:
            name, call, arguments = "write", self.write, ()
        elif choice < 0.8:
            name, call, arguments = "read", self.read, ()
        elif choice < 0.95:
            mode = self.random.choice((PUNCH, ZERO, ALLOCATE))
            name, call, arguments = "fallocate", self.allocate, (mode,)
        else:
            name, call, arguments = "truncate", self.truncate, ()
        self.log.append((name, call(*arguments)))

    def compare_all(self):
        for what, bytes_read in (("read", os.pread(self.fds[1], self.size, 0)),
                                 ("mapped", self.view[:])):
            if bytes_read != self.model:
                raise AssertionError(f"what is {what} at the end differs")


def main(path, seed, steps):
    fsx = Fsx(path, int(seed))
    try:
        for _ in range(int(steps)):
            fsx.step()
        fsx.compare_all()
    except (AssertionError, OSError) as error:
        sys.exit(f"{error}, seed {seed}, step {len(fsx.log)}, after {fsx.log[-8:]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
